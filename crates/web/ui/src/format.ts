// Numbers and times as people read them.

/** `0:07`, `12:34`, `1:02:03`; never negative. */
export function span(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000))
  const seconds = String(total % 60).padStart(2, '0')
  const minutes = Math.floor(total / 60) % 60
  const hours = Math.floor(total / 3600)
  return hours ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds}` : `${minutes}:${seconds}`
}

/** `95.8%`, rounded down so that a missed target never looks met; a dash without a denominator. */
export function percent(numerator: number, denominator: number): string {
  if (denominator === 0) return '—'
  return `${(Math.floor((numerator * 1000) / denominator) / 10).toFixed(1)}%`
}

const CHINA = 'Asia/Shanghai'
const clockFormat = new Intl.DateTimeFormat('en-GB', { timeZone: CHINA, timeStyle: 'medium' })

/** `14:03:22`, in China wherever the browser is. */
export function clockTime(ms: number): string {
  return clockFormat.format(ms)
}

const minuteFormat = new Intl.DateTimeFormat('zh-CN', {
  timeZone: CHINA,
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
})

/** `11/23 14:03`, in China. */
export function minute(ms: number): string {
  return minuteFormat.format(ms)
}

export function date(ms: number, locale: string): string {
  return new Intl.DateTimeFormat(locale, {
    timeZone: CHINA,
    year: 'numeric',
    month: 'long',
    day: 'numeric',
    weekday: 'long',
  }).format(ms)
}

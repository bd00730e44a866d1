// The connection to /api/live. Events that arrive between two frames are folded in together, so the page
// is painted at most once a frame, however many there are.

import { shallowReactive } from 'vue'
import { applyDelta, applySnapshot, type BoardState, type Delta, type Snapshot } from './state'

/** Without a sign of life for so long the board is old. The server beats every 5 s. */
export const STALE_AFTER_MS = 12_000
/** A hidden tab gets no frames; it folds this often. */
const FOLD_HIDDEN_MS = 1_000
/** Between attempts after the server refused us or the feed fell silent. */
const REOPEN_AFTER_MS = 2_000
/** Events that may wait for the next frame. Beyond, a new snapshot is cheaper. */
const PENDING_MAX = 5_000

export interface FeedStatus {
  /** Whether what the board shows is current. */
  fresh: boolean
  /** When the last event came, by the browser's clock; 0 if none has. */
  heardAt: number
  /** Server's clock minus ours. */
  clockOffset: number
}

type Message = { kind: 'snapshot'; value: Snapshot } | { kind: 'delta'; value: Delta }

export interface Feed {
  status: FeedStatus
  close: () => void
}

export function openFeed(board: BoardState, url = '/api/live'): Feed {
  const status = shallowReactive<FeedStatus>({ fresh: false, heardAt: 0, clockOffset: 0 })
  let source: EventSource | undefined
  let pending: Message[] = []
  let frame = 0
  let fallback = 0
  let reopening = 0
  let openedAt = 0

  function open(): void {
    source?.close()
    pending = []
    openedAt = Date.now()
    source = new EventSource(url)
    source.addEventListener('snapshot', (event) => {
      const value = JSON.parse(event.data) as Snapshot
      hear(value.now)
      enqueue({ kind: 'snapshot', value })
    })
    source.addEventListener('delta', (event) => {
      hear()
      enqueue({ kind: 'delta', value: JSON.parse(event.data) as Delta })
    })
    source.addEventListener('beat', (event) => hear((JSON.parse(event.data) as { now: number }).now))
    source.addEventListener('error', () => {
      // It reconnects by itself, with Last-Event-ID, unless the server answered with an error.
      if (source?.readyState === EventSource.CLOSED) reopen()
    })
  }

  function reopen(): void {
    if (reopening) return
    source?.close()
    reopening = window.setTimeout(() => {
      reopening = 0
      open()
    }, REOPEN_AFTER_MS)
  }

  function hear(serverNow?: number): void {
    status.heardAt = Date.now()
    if (serverNow !== undefined) status.clockOffset = serverNow - status.heardAt
    if (board.head.seq > 0) status.fresh = true
  }

  function enqueue(message: Message): void {
    if (pending.length >= PENDING_MAX) {
      pending = []
      return reopen()
    }
    pending.push(message)
    if (!frame) {
      frame = requestAnimationFrame(fold)
      fallback = window.setTimeout(fold, FOLD_HIDDEN_MS)
    }
  }

  function fold(): void {
    cancelAnimationFrame(frame)
    window.clearTimeout(fallback)
    frame = 0
    const messages = pending
    pending = []
    for (const message of messages) {
      if (message.kind === 'snapshot') {
        applySnapshot(board, message.value)
        status.fresh = true
      } else if (!applyDelta(board, message.value)) {
        reopen()
        return
      }
    }
  }

  function watch(): void {
    const now = Date.now()
    status.fresh = board.head.seq > 0 && now - status.heardAt <= STALE_AFTER_MS
    // A connection can be dead without an error: a sleeping laptop, a lost network.
    if (now - Math.max(status.heardAt, openedAt) > STALE_AFTER_MS) reopen()
  }

  open()
  const watchdog = window.setInterval(watch, 1_000)
  return {
    status,
    close() {
      window.clearInterval(watchdog)
      window.clearTimeout(reopening)
      window.clearTimeout(fallback)
      cancelAnimationFrame(frame)
      source?.close()
    },
  }
}

import { expect, test } from 'vitest'
import { percent, span } from '../format'
import { poolLevel, waitLevel } from './level'
import type { PoolRow } from './state'

const EMPTY: PoolRow = {
  id: 'lucheng',
  region: 'wenzhou',
  name: { zh: '', en: '' },
  county: null,
  waiting: 0,
  waiting_since: null,
  ready: 0,
  ringing: 0,
  talking: 0,
  wrap_up: 0,
  paused: 1,
  offline: 1,
  logged_out: 0,
}

test('a tile turns amber at 15 s and red at 60 s', () => {
  const since = (ms: number) => poolLevel({ ...EMPTY, waiting: 1, waiting_since: 0 }, ms)
  expect([0, 14_999, 15_000, 59_999, 60_000].map(since)).toEqual(['waiting', 'waiting', 'late', 'late', 'overdue'])
  expect(waitLevel(-500)).toBe('waiting')
})

test('a pool without anybody on duty says so, unless somebody waits there, which is worse', () => {
  expect(poolLevel(EMPTY, 0)).toBe('unstaffed')
  expect(poolLevel({ ...EMPTY, talking: 1 }, 0)).toBe('calm')
  expect(poolLevel({ ...EMPTY, waiting: 1, waiting_since: 0 }, 60_000)).toBe('overdue')
})

test('a rate never looks better than it is and is unknown without calls', () => {
  expect(percent(0, 0)).toBe('—')
  expect(percent(9_499, 10_000)).toBe('94.9%')
  expect(percent(949_999, 1_000_000)).toBe('94.9%')
  expect(percent(1, 1)).toBe('100.0%')
  expect(percent(29, 30)).toBe('96.6%')
})

test('spans read as clocks and are never negative', () => {
  expect([-1, 0, 61_999, 3_661_000].map(span)).toEqual(['0:00', '0:00', '1:01', '1:01:01'])
})

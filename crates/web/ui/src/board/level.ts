// How a pool is doing, from its row and the server's clock.

import type { PoolRow } from './state'

export type Level = 'calm' | 'waiting' | 'late' | 'overdue' | 'unstaffed'

/** The wait from which a tile turns amber: the 15 s of GB/T 33358-2016. */
export const LATE_MS = 15_000
/** The wait from which it turns red. */
export const OVERDUE_MS = 60_000

export function waitLevel(waitedMs: number): Level {
  if (waitedMs >= OVERDUE_MS) return 'overdue'
  return waitedMs >= LATE_MS ? 'late' : 'waiting'
}

export function poolLevel(pool: PoolRow, now: number): Level {
  if (pool.waiting > 0 && pool.waiting_since != null) return waitLevel(now - pool.waiting_since)
  return pool.ready + pool.ringing + pool.talking + pool.wrap_up === 0 ? 'unstaffed' : 'calm'
}

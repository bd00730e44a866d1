// The board in the browser: a fold of the server's snapshots and deltas into reactive rows.
//
// Each row is one shallowReactive object that is changed in place, and lists only hold ids: a change of
// one lawyer re-renders that lawyer and nothing else. Deliberately absent: the connection (feed.ts), the
// clock, and any figure that the server has not sent.

import { shallowReactive, type ShallowReactive } from 'vue'
import type { components } from '../api'

type Schemas = components['schemas']
export type Snapshot = Schemas['Snapshot']
export type Delta = Schemas['Delta']
export type Change = Schemas['Change']
export type PoolRow = Schemas['PoolRow']
export type AgentRow = Schemas['AgentRow']
export type CallRow = Schemas['CallRow']
export type DepartedCall = Schemas['DepartedCall']
export type Today = Schemas['Today']
export type Name = Schemas['Name']
export type RegionRow = Schemas['RegionRow']
export type Standing = Schemas['Standing']
export type Departure = Schemas['Departure']
export type Phase = Schemas['Phase']

/** Departed calls kept; the server's snapshot has as many. */
export const RECENT_MAX = 50

export interface Head {
  /** Of the last event folded in; 0 before the first snapshot. */
  seq: number
  regions: RegionRow[]
  counties: Record<string, Name>
}

/** Rows by id, and their ids in the order of the page. */
export interface Rows<Id, Row extends object> {
  byId: Map<Id, ShallowReactive<Row>>
  ids: Id[]
}

export interface BoardState {
  head: ShallowReactive<Head>
  today: ShallowReactive<Today>
  pools: Rows<string, PoolRow>
  agents: Rows<number, AgentRow>
  calls: Map<string, ShallowReactive<CallRow>>
  /** Ids of calls that wait, the longest wait first. */
  waiting: string[]
  /** Newest first. */
  recent: DepartedCall[]
  trunks: Map<string, boolean>
  /** How many lawyers are in each standing. */
  totals: ShallowReactive<Record<Standing, number>>
}

export function emptyBoard(): BoardState {
  return {
    head: shallowReactive({ seq: 0, regions: [], counties: {} }),
    today: shallowReactive({
      day_start: 0,
      calls: 0,
      reached_queue: 0,
      answered: 0,
      answered_in_15s: 0,
      abandoned: 0,
      voicemail: 0,
    }),
    pools: emptyRows(),
    agents: emptyRows(),
    calls: new Map(),
    waiting: shallowReactive([]),
    recent: shallowReactive([]),
    trunks: shallowReactive(new Map()),
    totals: shallowReactive({ ready: 0, ringing: 0, talking: 0, wrap_up: 0, paused: 0, offline: 0, logged_out: 0 }),
  }
}

/** Brings every row to what the snapshot says; rows that stay keep their identity. */
export function applySnapshot(board: BoardState, snapshot: Snapshot): void {
  board.head.seq = snapshot.seq
  board.head.regions = snapshot.regions
  board.head.counties = snapshot.counties
  Object.assign(board.today, snapshot.today)
  retain(board.pools, new Set(snapshot.pools.map((pool) => pool.id)))
  snapshot.pools.forEach((pool) => put(board.pools, pool.id, pool))
  const agentIds = new Set(snapshot.agents.map((agent) => agent.id))
  board.agents.ids.filter((id) => !agentIds.has(id)).forEach((id) => countAgent(board, id, undefined))
  retain(board.agents, agentIds)
  snapshot.agents.forEach((agent) => putAgent(board, agent))
  const callIds = new Set(snapshot.calls.map((call) => call.id))
  ;[...board.calls.keys()].filter((id) => !callIds.has(id)).forEach((id) => removeCall(board, id))
  snapshot.calls.forEach((call) => putCall(board, call))
  board.recent.splice(0, board.recent.length, ...snapshot.recent)
  board.trunks.clear()
  snapshot.trunks.forEach((trunk) => board.trunks.set(trunk.id, trunk.reachable))
}

/** False if there is a gap before the delta: the board needs a new snapshot. */
export function applyDelta(board: BoardState, delta: Delta): boolean {
  if (delta.seq <= board.head.seq) return true
  if (delta.seq !== board.head.seq + 1) return false
  board.head.seq = delta.seq
  delta.changes.forEach((change) => applyChange(board, change))
  return true
}

function applyChange(board: BoardState, change: Change): void {
  switch (change.change) {
    case 'pool':
      return put(board.pools, change.row.id, change.row)
    case 'agent':
      return putAgent(board, change.row)
    case 'call':
      return putCall(board, change.row)
    case 'call_gone':
      return removeCall(board, change.row.id)
    case 'departed':
      board.recent.unshift(change.row)
      if (board.recent.length > RECENT_MAX) board.recent.pop()
      return
    case 'trunk':
      board.trunks.set(change.row.id, change.row.reachable)
      return
    case 'today':
      Object.assign(board.today, change.row)
      return
  }
}

function emptyRows<Id, Row extends object>(): Rows<Id, Row> {
  return { byId: new Map(), ids: shallowReactive([]) }
}

function put<Id, Row extends object>(rows: Rows<Id, Row>, id: Id, row: Row): void {
  const known = rows.byId.get(id)
  if (known) {
    Object.assign(known, row)
  } else {
    rows.byId.set(id, shallowReactive({ ...row }))
    rows.ids.push(id)
  }
}

function retain<Id, Row extends object>(rows: Rows<Id, Row>, keep: Set<Id>): void {
  for (let index = rows.ids.length - 1; index >= 0; index--) {
    const id = rows.ids[index] as Id
    if (!keep.has(id)) {
      rows.ids.splice(index, 1)
      rows.byId.delete(id)
    }
  }
}

function putAgent(board: BoardState, agent: AgentRow): void {
  countAgent(board, agent.id, agent.standing)
  put(board.agents, agent.id, agent)
}

function countAgent(board: BoardState, id: number, after: Standing | undefined): void {
  const before = board.agents.byId.get(id)?.standing
  if (before) board.totals[before] -= 1
  if (after) board.totals[after] += 1
}

function putCall(board: BoardState, call: CallRow): void {
  const known = board.calls.get(call.id)
  if (known) Object.assign(known, call)
  else board.calls.set(call.id, shallowReactive({ ...call }))
  const at = board.waiting.indexOf(call.id)
  if (isWaiting(call) && at < 0) board.waiting.splice(placeInQueue(board, call), 0, call.id)
  if (!isWaiting(call) && at >= 0) board.waiting.splice(at, 1)
}

function removeCall(board: BoardState, id: string): void {
  board.calls.delete(id)
  const at = board.waiting.indexOf(id)
  if (at >= 0) board.waiting.splice(at, 1)
}

function isWaiting(call: CallRow): boolean {
  return call.phase === 'waiting' || call.phase === 'ringing'
}

/** Behind everyone who began to wait no later. Most calls go to the end. */
function placeInQueue(board: BoardState, call: CallRow): number {
  let place = board.waiting.length
  while (place > 0) {
    const before = board.calls.get(board.waiting[place - 1] as string)
    if ((before?.queued_at ?? 0) <= (call.queued_at ?? 0)) break
    place -= 1
  }
  return place
}

import { describe, expect, test } from 'vitest'
import { applyDelta, applySnapshot, emptyBoard, RECENT_MAX } from './state'
import type { AgentRow, CallRow, Change, DepartedCall, PoolRow, Snapshot } from './state'

function pool(id: string, change: Partial<PoolRow> = {}): PoolRow {
  const counts = { waiting: 0, ready: 0, ringing: 0, talking: 0, wrap_up: 0, paused: 0, offline: 0, logged_out: 0 }
  return { id, region: 'wenzhou', name: { zh: id, en: id }, county: id, waiting_since: null, ...counts, ...change }
}

function agent(id: number, change: Partial<AgentRow> = {}): AgentRow {
  return {
    id,
    name: `律师${id}`,
    pools: ['lucheng'],
    reachable: true,
    duty: 'ready',
    pause: null,
    activity: 'idle',
    wrap_up: null,
    wrap_up_latest: null,
    standing: 'ready',
    since: 1,
    until: null,
    call: null,
    ...change,
  }
}

function call(id: string, queued_at: number | null, change: Partial<CallRow> = {}): CallRow {
  return {
    id,
    region: 'wenzhou',
    caller: '138****5678',
    called: '12348',
    county: 'lucheng',
    pool: 'lucheng',
    phase: queued_at === null ? 'menu' : 'waiting',
    arrived_at: 0,
    queued_at,
    phase_since: 0,
    agent: null,
    is_callback: false,
    ...change,
  }
}

function departed(id: string): DepartedCall {
  const who = { county: null, pool: null, agent: null }
  return { id, at: 1, caller: '1', ...who, departure: 'answered', waited_ms: 1, talked_ms: 1 }
}

function snapshot(change: Partial<Snapshot> = {}): Snapshot {
  const today = {
    day_start: 0,
    calls: 3,
    reached_queue: 2,
    answered: 1,
    answered_in_15s: 1,
    abandoned: 1,
    voicemail: 0,
  }
  return {
    seq: 10,
    now: 0,
    regions: [{ id: 'wenzhou', name: { zh: '温州', en: 'Wenzhou' }, dialplan: '0123456789ab' }],
    counties: {},
    pools: [pool('lucheng'), pool('longwan')],
    agents: [agent(1), agent(2, { standing: 'offline' })],
    calls: [],
    recent: [],
    trunks: [],
    today,
    ...change,
  }
}

function boardOf(change: Partial<Snapshot> = {}) {
  const board = emptyBoard()
  applySnapshot(board, snapshot(change))
  return board
}

describe('sequence', () => {
  test('a delta that follows is folded in, an old one is ignored, a gap is reported', () => {
    const board = boardOf()
    const changes: Change[] = [{ change: 'pool', row: pool('lucheng', { waiting: 4 }) }]
    expect(applyDelta(board, { seq: 11, at: 0, changes })).toBe(true)
    expect(board.pools.byId.get('lucheng')?.waiting).toBe(4)
    expect(applyDelta(board, { seq: 11, at: 0, changes: [{ change: 'pool', row: pool('lucheng') }] })).toBe(true)
    expect(board.pools.byId.get('lucheng')?.waiting).toBe(4)
    expect(applyDelta(board, { seq: 13, at: 0, changes: [] })).toBe(false)
    expect(board.head.seq).toBe(11)
  })
})

describe('rows', () => {
  test('a changed lawyer keeps the same object, and others are not touched', () => {
    const board = boardOf()
    const [first, second] = [board.agents.byId.get(1), board.agents.byId.get(2)]
    applyDelta(board, { seq: 11, at: 0, changes: [{ change: 'agent', row: agent(1, { standing: 'talking' }) }] })
    expect(board.agents.byId.get(1)).toBe(first)
    expect(first?.standing).toBe('talking')
    expect(board.agents.byId.get(2)).toBe(second)
    expect(board.agents.ids).toEqual([1, 2])
  })

  test('totals follow every change of standing', () => {
    const board = boardOf()
    expect(board.totals).toMatchObject({ ready: 1, offline: 1, talking: 0 })
    applyDelta(board, { seq: 11, at: 0, changes: [{ change: 'agent', row: agent(1, { standing: 'talking' }) }] })
    applyDelta(board, { seq: 12, at: 0, changes: [{ change: 'agent', row: agent(9) }] })
    expect(board.totals).toMatchObject({ ready: 1, offline: 1, talking: 1 })
  })

  test('a new snapshot keeps rows that stay, removes rows that went and restores the totals', () => {
    const board = boardOf({ calls: [call('7', 5), call('8', 6)] })
    const stays = board.agents.byId.get(1)
    const next = { seq: 50, agents: [agent(1), agent(3)], pools: [pool('longwan')], calls: [call('8', 6)] }
    applySnapshot(board, snapshot(next))
    expect(board.agents.byId.get(1)).toBe(stays)
    expect(board.agents.ids).toEqual([1, 3])
    expect(board.pools.ids).toEqual(['longwan'])
    expect(board.waiting).toEqual(['8'])
    expect(board.totals).toMatchObject({ ready: 2, offline: 0 })
    expect(board.head.seq).toBe(50)
  })
})

describe('waiting calls', () => {
  test('the longest wait is first, whatever order they come in', () => {
    const board = boardOf({ calls: [call('7', 50), call('8', 20), call('9', null)] })
    expect(board.waiting).toEqual(['8', '7'])
    applyDelta(board, { seq: 11, at: 0, changes: [{ change: 'call', row: call('9', 30) }] })
    expect(board.waiting).toEqual(['8', '9', '7'])
  })

  test('a ringing call still waits; one that talks, holds or has gone does not', () => {
    const board = boardOf({ calls: [call('7', 50), call('8', 60), call('9', 70)] })
    const ringing: Change = { change: 'call', row: call('7', 50, { phase: 'ringing', agent: 1 }) }
    const talking: Change = { change: 'call', row: call('8', 60, { phase: 'talking', agent: 2 }) }
    const gone: Change = { change: 'call_gone', row: { id: '9' } }
    applyDelta(board, { seq: 11, at: 0, changes: [ringing, talking, gone] })
    expect(board.waiting).toEqual(['7'])
    expect([...board.calls.keys()]).toEqual(['7', '8'])
  })
})

describe('figures', () => {
  test('recent calls are bounded, newest first', () => {
    const board = boardOf()
    for (let index = 0; index < RECENT_MAX + 5; index++) {
      const changes: Change[] = [{ change: 'departed', row: departed(String(index)) }]
      applyDelta(board, { seq: 11 + index, at: 0, changes })
    }
    expect(board.recent.length).toBe(RECENT_MAX)
    expect(board.recent[0]?.id).toBe(String(RECENT_MAX + 4))
  })

  test('figures of the day and trunks are replaced', () => {
    const board = boardOf()
    const row = { ...snapshot().today, calls: 4 }
    const trunk: Change = { change: 'trunk', row: { id: 'telecom-1', reachable: false } }
    applyDelta(board, { seq: 11, at: 0, changes: [{ change: 'today', row }, trunk] })
    expect(board.today.calls).toBe(4)
    expect(board.trunks.get('telecom-1')).toBe(false)
  })
})

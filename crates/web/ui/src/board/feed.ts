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
  return new LiveFeed(board, url)
}

class LiveFeed implements Feed {
  readonly status = shallowReactive<FeedStatus>({ fresh: false, heardAt: 0, clockOffset: 0 })
  private source: EventSource | undefined
  private pending: Message[] = []
  private frame = 0
  private fallback = 0
  private reopening = 0
  private openedAt = 0
  private readonly watchdog: number

  constructor(
    private readonly board: BoardState,
    private readonly url: string,
  ) {
    this.open()
    this.watchdog = window.setInterval(() => this.watch(), 1_000)
  }

  close(): void {
    window.clearInterval(this.watchdog)
    window.clearTimeout(this.reopening)
    window.clearTimeout(this.fallback)
    cancelAnimationFrame(this.frame)
    this.source?.close()
  }

  private open(): void {
    this.source?.close()
    this.pending = []
    this.openedAt = Date.now()
    const source = new EventSource(this.url)
    this.source = source
    source.addEventListener('snapshot', (event) => {
      const value = JSON.parse(event.data) as Snapshot
      this.hear(value.now)
      this.enqueue({ kind: 'snapshot', value })
    })
    source.addEventListener('delta', (event) => {
      this.hear()
      this.enqueue({ kind: 'delta', value: JSON.parse(event.data) as Delta })
    })
    source.addEventListener('beat', (event) => this.hear((JSON.parse(event.data) as { now: number }).now))
    source.addEventListener('error', () => {
      // It reconnects by itself, with Last-Event-ID, unless the server answered with an error.
      if (source.readyState === EventSource.CLOSED) this.reopen()
    })
  }

  private reopen(): void {
    if (this.reopening) return
    this.source?.close()
    this.reopening = window.setTimeout(() => {
      this.reopening = 0
      this.open()
    }, REOPEN_AFTER_MS)
  }

  private hear(serverNow?: number): void {
    this.status.heardAt = Date.now()
    if (serverNow !== undefined) this.status.clockOffset = serverNow - this.status.heardAt
    if (this.board.head.seq > 0) this.status.fresh = true
  }

  private enqueue(message: Message): void {
    if (this.pending.length >= PENDING_MAX) {
      this.pending = []
      return this.reopen()
    }
    this.pending.push(message)
    if (!this.frame) {
      this.frame = requestAnimationFrame(() => this.fold())
      this.fallback = window.setTimeout(() => this.fold(), FOLD_HIDDEN_MS)
    }
  }

  private fold(): void {
    cancelAnimationFrame(this.frame)
    window.clearTimeout(this.fallback)
    this.frame = 0
    const messages = this.pending
    this.pending = []
    for (const message of messages) {
      if (message.kind === 'snapshot') {
        applySnapshot(this.board, message.value)
        this.status.fresh = true
      } else if (!applyDelta(this.board, message.value)) {
        this.reopen()
        return
      }
    }
  }

  private watch(): void {
    const now = Date.now()
    this.status.fresh = this.board.head.seq > 0 && now - this.status.heardAt <= STALE_AFTER_MS
    // A connection can be dead without an error: a sleeping laptop, a lost network.
    if (now - Math.max(this.status.heardAt, this.openedAt) > STALE_AFTER_MS) this.reopen()
  }
}

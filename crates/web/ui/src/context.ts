// What every part of the page shares: the board, whether it is current, and the server's clock.

import { inject, onScopeDispose, provide, ref, type InjectionKey, type Ref } from 'vue'
import { openFeed, type FeedStatus } from './board/feed'
import { emptyBoard, type BoardState } from './board/state'

export interface Context {
  board: BoardState
  status: FeedStatus
  /** The server's clock in ms, once a second: what waits tick with. */
  now: Ref<number>
}

const KEY: InjectionKey<Context> = Symbol('board')

export function provideContext(): Context {
  const board = emptyBoard()
  const feed = openFeed(board)
  const now = ref(Date.now())
  const timer = window.setInterval(() => {
    now.value = Date.now() + feed.status.clockOffset
  }, 1_000)
  onScopeDispose(() => {
    window.clearInterval(timer)
    feed.close()
  })
  const context = { board, status: feed.status, now }
  provide(KEY, context)
  return context
}

export function useContext(): Context {
  const context = inject(KEY)
  if (!context) throw new Error('the page provides the board before anything uses it')
  return context
}

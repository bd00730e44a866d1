// Chinese first; the choice is remembered in this browser.

import { watchEffect } from 'vue'
import { createI18n } from 'vue-i18n'
import type { Name } from './board/state'
import en from './locales/en'
import zh from './locales/zh-CN'
import { recall, remember } from './memory'

export type Locale = 'zh-CN' | 'en'

const KEY = 'hotline.language'

export const i18n = createI18n({
  legacy: false,
  locale: (recall(KEY) === 'en' ? 'en' : 'zh-CN') as Locale,
  fallbackLocale: 'zh-CN',
  messages: { 'zh-CN': zh, en },
})

watchEffect(() => {
  document.documentElement.lang = i18n.global.locale.value
})

export function switchLanguage(): void {
  const next: Locale = i18n.global.locale.value === 'en' ? 'zh-CN' : 'en'
  i18n.global.locale.value = next
  remember(KEY, next)
}

/** A name in the language of the page. */
export function pick(name: Name | undefined): string {
  if (!name) return ''
  return i18n.global.locale.value === 'en' ? name.en : name.zh
}

// Light, dark, or as the system says. Remembered in this browser.

import { ref, watchEffect } from 'vue'
import { recall, remember } from './memory'

export type Theme = 'auto' | 'light' | 'dark'

const KEY = 'hotline.theme'
const ORDER: Theme[] = ['auto', 'light', 'dark']

export const theme = ref<Theme>(ORDER.find((known) => known === recall(KEY)) ?? 'auto')

watchEffect(() => {
  document.documentElement.dataset['theme'] = theme.value
})

export function nextTheme(): void {
  theme.value = ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length] ?? 'auto'
  remember(KEY, theme.value)
}

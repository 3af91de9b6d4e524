import {
  convertCssVariables,
  DEFAULT_THEME,
  defaultCssVariablesResolver,
  mergeMantineTheme,
} from '@mantine/core';
import type { Plugin } from 'vite';
import { theme } from './src/theme/theme.ts';

const id = 'virtual:theme.css';

/**
 * Writes the theme's CSS variables into a style sheet at build time. Mantine would otherwise put them into an
 * inline <style> at run time, which the console's Content-Security-Policy (style-src 'self') forbids.
 */
export function themeVariables(): Plugin {
  return {
    name: 'vitrine-theme-variables',
    resolveId: (source) => (source === id ? `\0${id}` : null),
    load: (resolved) =>
      resolved === `\0${id}`
        ? convertCssVariables(defaultCssVariablesResolver(mergeMantineTheme(DEFAULT_THEME, theme)))
        : null,
  };
}

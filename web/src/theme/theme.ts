import { createTheme } from '@mantine/core';

/** Verdigris: the colour of old bronze, Vitrine's one accent. */
const verdigris = [
  '#eaf6f4',
  '#d3ebe7',
  '#a6d8d0',
  '#7cc6bb',
  '#58b3a7',
  '#369a8f',
  '#1f837a',
  '#146c65',
  '#0f5752',
  '#0a423e',
] as const;

/** Brass: recording, waiting, attention. */
const brass = [
  '#fdf6e7',
  '#f8e8c6',
  '#f0d190',
  '#e7bb5d',
  '#dda63a',
  '#c98f21',
  '#a87415',
  '#875b10',
  '#68450c',
  '#4b3208',
] as const;

const brick = [
  '#fdf0ee',
  '#fadcd7',
  '#f2b5ab',
  '#ea8f80',
  '#e06c59',
  '#cf4f3b',
  '#b33c2a',
  '#922f21',
  '#712419',
  '#511a12',
] as const;

/** Neutral greys with a trace of green, from paper to stone. */
const gray = [
  '#f8f9f8',
  '#f1f3f1',
  '#e6eae7',
  '#d8ddda',
  '#c2cac6',
  '#a0aba6',
  '#7b8883',
  '#5a6762',
  '#3b4642',
  '#222b28',
] as const;

/** The dark scheme's ladder, text first, ground last. */
const dark = [
  '#d7dedb',
  '#b3bdb9',
  '#8d9995',
  '#65726e',
  '#36423f',
  '#283330',
  '#1a2322',
  '#131a1a',
  '#0d1313',
  '#080c0c',
] as const;

export const theme = createTheme({
  colors: { verdigris, brass, brick, gray, dark },
  primaryColor: 'verdigris',
  primaryShade: { light: 7, dark: 4 },
  autoContrast: true,
  luminanceThreshold: 0.36,
  black: '#16201e',
  white: '#ffffff',
  defaultRadius: 'sm',
  radius: { xs: '3px', sm: '5px', md: '8px', lg: '12px', xl: '20px' },
  fontFamily: "'IBM Plex Sans Variable', system-ui, -apple-system, 'Segoe UI', sans-serif",
  fontFamilyMonospace: "'IBM Plex Mono', ui-monospace, 'Cascadia Mono', Menlo, monospace",
  headings: { fontWeight: '600', fontFamily: "'IBM Plex Sans Variable', system-ui, sans-serif" },
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.9375rem', lg: '1.0625rem', xl: '1.25rem' },
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    // The scroll lock injects a <style>, which the Content-Security-Policy forbids; global.css locks instead.
    Modal: {
      defaultProps: {
        lockScroll: false,
        centered: true,
        radius: 'md',
        overlayProps: { backgroundOpacity: 0.5 },
        styles: { title: { fontWeight: 600 } },
      },
    },
    Tooltip: { defaultProps: { openDelay: 350, withArrow: false, fz: 'xs' } },
    Menu: { defaultProps: { shadow: 'md', radius: 'md' } },
  },
});

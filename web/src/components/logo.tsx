/** The mark: a pointer in a glass case on its plinth. */
export function Logo({ size = 26 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" fill="none" aria-hidden="true" focusable="false">
      <path
        d="M6.5 25V7.5A4.5 4.5 0 0 1 11 3h10a4.5 4.5 0 0 1 4.5 4.5V25"
        stroke="var(--v-accent)"
        strokeWidth="2"
        fill="color-mix(in srgb, var(--v-accent) 9%, transparent)"
      />
      <path
        d="M20.8 6.6c1 .2 1.6.8 1.7 1.9"
        stroke="var(--v-accent)"
        strokeWidth="1.5"
        strokeLinecap="round"
      />
      <path d="M3 28h26" stroke="var(--v-accent)" strokeWidth="2.6" strokeLinecap="round" />
      <path d="M12.2 9.4v11.2l3.1-2.8 1.9 4.2 2.2-1-1.9-4.1h4.2z" fill="currentColor" />
    </svg>
  );
}

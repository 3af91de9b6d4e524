import { labelOf, severities, type Severity } from '../../api/detection';
import { Badge } from '../../components/badge';

const tones = { critical: 'bad', high: 'bad', medium: 'warn', low: 'quiet', info: 'quiet' } as const;

/** How bad something is. The worst pulses. */
export function SeverityBadge({ severity, fresh = false }: { severity: Severity; fresh?: boolean }) {
  return (
    <Badge
      tone={tones[severity]}
      label={labelOf(severities, severity)}
      pulse={fresh && severity === 'critical'}
    />
  );
}

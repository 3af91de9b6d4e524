/** What people call the things sessions need, and what they are for. */
const needs: Record<string, { label: string; what: string }> = {
  database: { label: 'Database', what: 'Who is who, and what has happened.' },
  audit_log: { label: 'Audit log', what: 'Nothing is done that cannot be written down.' },
  evidence_key: { label: 'Signing key', what: 'Signs recordings and the audit log (evidence.key_file).' },
  spool: { label: 'Room for recordings', what: 'Where sessions are recorded to first (spool_dir).' },
  recording_keys: { label: 'Keys of recordings', what: 'The master key, or the Vault that wraps them.' },
  recording_store: {
    label: 'Store of recordings',
    what: 'While it is away, recordings wait in the spool; sessions go on.',
  },
};

export const needLabel = (name: string): string => needs[name]?.label ?? name;
export const needWhat = (name: string): string => needs[name]?.what ?? '';

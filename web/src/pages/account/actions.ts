/** What people call the actions an API token may have. Others are shown by their own name. */
const labels: Record<string, string> = {
  connect: 'Connect to targets',
  view_live: 'Watch running sessions',
  take_over: 'Take over sessions',
  freeze: 'Freeze sessions',
  message: 'Send messages into sessions',
  terminate: 'End sessions',
  lock_user: 'Lock people out of Vitrine',
  replay: 'Replay recordings',
  export: 'Export recordings',
  'clipboard::to_target': 'Paste into targets',
  'clipboard::from_target': 'Copy out of targets',
  request_access: 'Ask for access',
  approve_access: 'Decide on access requests',
  break_glass: 'Break the glass',
  manage_targets: 'Manage targets',
  manage_users: 'Manage users and groups',
  manage_policies: 'Manage policies',
  read_audit: 'Read the audit log',
  read_rules: 'Read rules of detection',
  manage_rules: 'Manage rules of detection',
  read_alerts: 'Read alerts',
  acknowledge_alerts: 'Acknowledge alerts',
  manage_system: 'Manage the gateway',
};

export const actionLabel = (action: string): string => labels[action] ?? action;

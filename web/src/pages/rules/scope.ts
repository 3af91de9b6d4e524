import { labelOf, ruleActions, sources, type KeptRule, type Rule, type Scope } from '../../api/detection';

/** The kinds of entries of a scope, as people call them. */
export const scopeFields: { field: keyof Scope; label: string; placeholder: string }[] = [
  { field: 'users', label: 'Users', placeholder: 'alice' },
  { field: 'groups', label: 'Groups', placeholder: 'operators' },
  { field: 'roles', label: 'Roles', placeholder: 'user' },
  { field: 'targets', label: 'Targets', placeholder: 'Id of a target' },
  { field: 'tags', label: 'Tags of the target', placeholder: 'production' },
  { field: 'policies', label: 'Policies that allowed it', placeholder: 'Id of a policy' },
];

/** Whom a rule is for, in a line. */
export function scopeText(scope: Scope | undefined): string {
  const parts = scopeFields
    .filter(({ field }) => (scope?.[field]?.length ?? 0) > 0)
    .map(({ field, label }) => `${label.toLowerCase()} ${(scope?.[field] ?? []).join(', ')}`);
  return parts.length > 0 ? parts.join('; ') : 'Every session';
}

/** Where a rule is from, and what was made of it. */
export function originText(rule: Pick<KeptRule, 'origin' | 'change' | 'configured'>): string {
  const from = { shipped: 'Vitrine', configuration: 'Configuration', console: 'Console' }[rule.origin];
  if (rule.change) return `${from}, ${rule.change}`;
  return rule.configured ? `${from}, by configuration` : from;
}

/** All of a rule a search may look for. */
export function ruleText({ rule, origin }: KeptRule): string {
  return [
    rule.id,
    rule.name,
    rule.about ?? '',
    rule.severity,
    labelOf(ruleActions, rule.action),
    ...rule.sources.map((s) => labelOf(sources, s)),
    origin,
    scopeText(rule.scope),
    ...(rule.any ?? []),
    ...(rule.all ?? []),
    ...(rule.lists ?? []),
  ]
    .join(' ')
    .toLowerCase();
}

/** The patterns of a text with one in each line. */
export const patternsOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => line.trim() !== '');

/** Whether two rules say the same. */
export function sameRule(a: Rule, b: Rule): boolean {
  return JSON.stringify(plain(a)) === JSON.stringify(plain(b));
}

/** A rule with its parts in one order, and without those that are empty. */
function plain(rule: Rule): unknown[] {
  const list = (values: readonly string[] | undefined) => (values?.length ? values : null);
  return [
    rule.id,
    rule.name,
    rule.about ?? '',
    rule.severity,
    rule.action,
    [...rule.sources].sort(),
    rule.disabled ?? false,
    list(rule.any),
    list(rule.all),
    list(rule.none),
    list(rule.lists),
    scopeFields.map(({ field }) => list(rule.scope?.[field])),
  ];
}

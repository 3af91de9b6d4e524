import type { Target } from '../../api/targets';

/** How many tags are offered; the search finds the others, too. */
const maxOffered = 16;

/** Tags to filter by: those chosen, and the most used of the targets that are shown, in order. */
export function offeredTags(targets: readonly Target[], chosen: readonly string[]): string[] {
  const uses = new Map<string, number>();
  for (const tag of targets.flatMap((target) => target.tags)) uses.set(tag, (uses.get(tag) ?? 0) + 1);
  const most = [...uses]
    .filter(([tag]) => !chosen.includes(tag))
    .sort(([a, x], [b, y]) => y - x || a.localeCompare(b))
    .slice(0, maxOffered - chosen.length)
    .map(([tag]) => tag);
  return [...chosen, ...most].sort((a, b) => a.localeCompare(b));
}

import type { Target } from '../../api/client';

/** The targets that hold every word of `search` somewhere, and every one of `tags`. */
export function filterTargets(targets: Target[], search: string, tags: ReadonlySet<string>): Target[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return targets.filter((target) => {
    const text = [target.name, target.description, target.address, target.protocol, ...target.tags]
      .join(' ')
      .toLowerCase();
    return words.every((word) => text.includes(word)) && [...tags].every((tag) => target.tags.includes(tag));
  });
}

/** Every tag in use, in order. */
export function allTags(targets: Target[]): string[] {
  return [...new Set(targets.flatMap((target) => target.tags))].sort((a, b) => a.localeCompare(b));
}

import { useEffect } from 'react';
import { rates, type Player } from '../../player/player';

const hop = 5000;
const longHop = 30_000;

/** The next rate in a direction, or the same at the end of the range. */
export function nextRate(rate: number, direction: 1 | -1): number {
  const at = rates.findIndex((r) => r >= rate);
  return rates[Math.min(rates.length - 1, Math.max(0, (at < 0 ? rates.length - 1 : at) + direction))] ?? rate;
}

/** What keys do beyond the player itself. Must not change from one rendering to the next. */
export interface PlayerActs {
  fullScreen: () => void;
  mark: (direction: 1 | -1) => void;
  hit: (direction: 1 | -1) => void;
  goTo: () => void;
  search: () => void;
  write: () => void;
  copyLink: () => void;
  help: () => void;
}

/** The keys that help.tsx lists, unless something else takes them. */
export function usePlayerKeys(player: Player | null, acts: PlayerActs): void {
  useEffect(() => {
    if (!player) return;
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const writes = 'input:not([type="radio"], [type="checkbox"]), textarea, select';
      if (target.closest(`${writes}, [role="menu"], [role="dialog"], [role="listbox"]`)) return;
      const onChoice = target.closest('input') !== null;
      if (onChoice && event.key.startsWith('Arrow')) return;
      const onButton = onChoice || target.closest('button, a') !== null;
      const state = player.store.get();
      const direction = event.shiftKey ? -1 : 1;
      const keys: Record<string, () => void> = {
        k: () => player.toggle(),
        ArrowLeft: () => player.seek(state.timeMs - (event.shiftKey ? longHop : hop)),
        ArrowRight: () => player.seek(state.timeMs + (event.shiftKey ? longHop : hop)),
        Home: () => player.seek(0),
        End: () => player.seek(state.durationMs),
        '[': () => player.setRate(nextRate(state.rate, -1)),
        ']': () => player.setRate(nextRate(state.rate, 1)),
        ',': () => void player.step(-1),
        '.': () => void player.step(1),
        s: () => player.setSkipIdle(!state.skipIdle),
        l: () => state.live && player.goLive(),
        f: acts.fullScreen,
        m: () => acts.mark(direction),
        n: () => acts.hit(direction),
        g: acts.goTo,
        '/': acts.search,
        w: acts.write,
        c: acts.copyLink,
        '?': acts.help,
        ...(onButton ? {} : { ' ': () => player.toggle() }),
      };
      const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!act) return;
      act();
      event.preventDefault();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [player, acts]);
}

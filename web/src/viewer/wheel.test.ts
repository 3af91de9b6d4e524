import { describe, expect, it } from 'vitest';
import { WheelAccumulator, type WheelLike } from './wheel';

function run(events: Partial<WheelLike>[]): number[][] {
  const wheel = new WheelAccumulator();
  return events.map((event, i) => {
    const { dx, dy } = wheel.add({ deltaX: 0, deltaY: 0, deltaMode: 0, timeStamp: i * 10, ...event });
    return [dx, dy];
  });
}

describe('WheelAccumulator', () => {
  const cases: { name: string; events: Partial<WheelLike>[]; notches: number[][] }[] = [
    { name: 'a mouse in pixels', events: [{ deltaY: 100, wheelDeltaY: -120 }], notches: [[0, 1]] },
    {
      name: 'a mouse whose notch is 53 pixels',
      events: [{ deltaY: -53, wheelDeltaY: 120 }],
      notches: [[0, -1]],
    },
    { name: 'three notches at once', events: [{ deltaY: 300, wheelDeltaY: -360 }], notches: [[0, 3]] },
    { name: 'a mouse in lines', events: [{ deltaY: 3, deltaMode: 1 }], notches: [[0, 1]] },
    { name: 'pages', events: [{ deltaY: -1, deltaMode: 2 }], notches: [[0, -1]] },
    { name: 'sideways', events: [{ deltaX: 100 }], notches: [[1, 0]] },
    {
      name: 'a trackpad, added up',
      events: Array.from({ length: 10 }, () => ({ deltaY: 20, wheelDeltaY: -60 })),
      notches: [0, 0, 0, 0, 1, 0, 0, 0, 0, 1].map((n) => [0, n]),
    },
    {
      name: 'a trackpad whose steps look like notches of the old kind',
      events: [
        { deltaY: 40, wheelDeltaY: -120 },
        { deltaY: 40, wheelDeltaY: -120 },
        { deltaY: 40, wheelDeltaY: -120 },
      ],
      notches: [
        [0, 0],
        [0, 0],
        [0, 1],
      ],
    },
    {
      name: 'a change of direction starts afresh',
      events: [{ deltaY: 90 }, { deltaY: -20 }, { deltaY: -80 }],
      notches: [
        [0, 0],
        [0, 0],
        [0, -1],
      ],
    },
    {
      name: 'a pause forgets what was left over',
      events: [
        { deltaY: 90, timeStamp: 0 },
        { deltaY: 20, timeStamp: 1000 },
      ],
      notches: [
        [0, 0],
        [0, 0],
      ],
    },
    { name: 'a fling is bounded', events: [{ deltaY: 100_000 }], notches: [[0, 8]] },
  ];
  it.each(cases)('$name', ({ events, notches }) => {
    expect(run(events)).toEqual(notches);
  });
});

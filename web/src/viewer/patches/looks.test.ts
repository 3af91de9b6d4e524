import { describe, expect, it } from 'vitest';
import { inSlot, Looks, type Slot } from './looks';

const look = (turn: number, slot = 0, cell = 0, epoch = 1) => ({
  epoch,
  look: { cell, turn, slot, restored: false },
});

/** Keeps a number in a slot, and reads it. */
const keep = (value: number) => (slot: Slot) => {
  slot[0] = value;
};
const read = (into: number[]) => (slot: Slot) => {
  into.push(slot[0]!);
};

/** Calls fn with each order of n things. */
function eachOrder(n: number, fn: (order: number[]) => void, order: number[] = []): void {
  if (order.length === n) {
    fn(order);
    return;
  }
  for (let i = 0; i < n; i++) if (!order.includes(i)) eachOrder(n, fn, [...order, i]);
}

describe('Looks', () => {
  it('writes and reads slots in turn, in whatever order messages come, and twice', () => {
    eachOrder(6, (order) => {
      const looks = new Looks();
      const got: number[] = [];
      const messages = [
        () => looks.inTurn(look(1, 0), keep(10)),
        () => looks.inTurn(look(2, 1), keep(20)),
        () => looks.inTurn(look(3, 0), read(got)),
        () => looks.inTurn(look(4, 0), keep(40)),
        () => looks.inTurn(look(5, 1), read(got)),
        () => looks.inTurn(look(6, 0), read(got)),
      ];
      for (const i of order) {
        messages[i]!();
        messages[order[0]!]!();
      }
      expect(got).toEqual([10, 20, 40]);
    });
  });

  it('has slots of its own for each cell, in an order of its own', () => {
    const looks = new Looks();
    const got: number[] = [];
    looks.inTurn(look(1, 0, 7), keep(7));
    looks.inTurn(look(2, 0, 8), read(got)); // waits
    looks.inTurn(look(2, 0, 7), read(got));
    expect(got).toEqual([7]);
    looks.inTurn(look(1, 0, 8), keep(8));
    expect(got).toEqual([7, 8]);
  });

  it('forgets what is of an older epoch', () => {
    const looks = new Looks();
    const got: number[] = [];
    looks.inTurn(look(1), keep(10));
    looks.inTurn(look(3), keep(30)); // waits
    looks.inTurn(look(1, 0, 0, 2), read(got));
    expect(got).toEqual([0]);
    looks.inTurn(look(2), read(got));
    looks.inTurn(look(2, 0, 0, 2), read(got));
    looks.inTurn(look(3, 0, 0, 2), read(got));
    expect(got).toEqual([0, 0, 0]);
  });

  it('is told when something never comes', () => {
    const looks = new Looks();
    expect(() => {
      for (let turn = 2; turn < 10_000; turn++) looks.inTurn(look(turn), keep(1));
    }).toThrow('looks:');
  });

  it('keeps each block of a cell in its place', () => {
    expect(inSlot(0, 0)).toBe(0);
    expect(inSlot(16, 8)).toBe(0);
    expect(inSlot(15, 0) + 16 * 4).toBe(inSlot(0, 0) + 1024);
    expect(inSlot(0, 1)).toBe(16 * 1024);
    expect(inSlot(31, 15)).toBe(7 * 16 * 1024 + 15 * 64);
  });
});

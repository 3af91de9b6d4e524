import { blockSize, cellCols, cellRows, type Patch } from './wire';

/** Looks of one cell that wait for others. A gateway has fewer under way: 128 KB, of 20 bytes each at least. */
const maxWaiting = 8192;

/** The pixels of a cell, RGBA. */
export type Slot = Uint8ClampedArray<ArrayBuffer>;

interface Cell {
  /** The last turn that was taken. */
  turn: number;
  waiting: Map<number, () => void>;
  slots: (Slot | undefined)[];
}

/** The bytes of a row of a slot. */
export const slotStride = cellCols * blockSize * 4;

/** Where a block's pixels begin in its slot. */
export const inSlot = (x: number, y: number) =>
  (y % cellRows) * blockSize * slotStride + (x % cellCols) * blockSize * 4;

/**
 * What the gateway has had kept of the cells of the picture, so as not to send it again. Messages overtake each other, so those of a
 * cell are put in order by their turns (PROTOCOL.md).
 */
export class Looks {
  private epoch = 0;
  private readonly cells = new Map<number, Cell>();

  /**
   * Calls take with the slot of the patch's look, now or once it is its turn; never when it is of an older epoch, or had its turn
   * before. Throws when there is more to wait for than a gateway sends.
   */
  inTurn({ epoch, look }: Pick<Patch, 'epoch' | 'look'>, take: (slot: Slot) => void): void {
    if (!look || epoch < this.epoch) return;
    if (epoch > this.epoch) {
      this.epoch = epoch;
      this.cells.clear();
    }
    const cell = this.cellAt(look.cell);
    if (look.turn <= cell.turn) return;
    if (cell.waiting.size >= maxWaiting) throw new Error('looks: too many wait for one that does not come');
    cell.waiting.set(look.turn, () => {
      take((cell.slots[look.slot] ??= new Uint8ClampedArray(slotStride * cellRows * blockSize)));
    });
    for (let next = cell.waiting.get(cell.turn + 1); next; next = cell.waiting.get(cell.turn + 1)) {
      cell.waiting.delete(++cell.turn);
      next();
    }
  }

  private cellAt(number: number): Cell {
    let cell = this.cells.get(number);
    if (!cell) {
      cell = { turn: 0, waiting: new Map(), slots: [] };
      this.cells.set(number, cell);
    }
    return cell;
  }
}

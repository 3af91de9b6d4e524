package rfbenc

import "sync"

// A table entry describes the symbol whose code begins with the bits that index it:
//
//	bits 0–3    length of the code, or bits that index a subtable
//	bits 4–7    extra bits behind the code
//	bit  8      literal
//	bit  9      no plain symbol: end of block, subtable, or a code nobody has
//	bit  10     end of block (with bit 9)
//	bit  11     subtable (with bit 9)
//	bits 16–31  literal, base of the length or distance, or offset of the subtable
const (
	symBits    = 15
	symExtra   = 4
	symLiteral = 1 << 8
	symSpecial = 1 << 9
	symEnd     = 1 << 10
	symSub     = 1 << 11
	symBase    = 16
	symInvalid = symSpecial
)

const (
	maxCodeBits = 15
	numLit      = 286
	litRoot     = 10
	distRoot    = 8
	clenRoot    = 7
	// A prefix of root bits has a subtable only if two codes or more share it, so there are at most half as
	// many subtables as symbols; each is indexed by what the longest code has beyond the root.
	litTableLen  = 1<<litRoot + 144<<(maxCodeBits-litRoot)
	distTableLen = 1<<distRoot + 16<<(maxCodeBits-distRoot)
)

type (
	litTable  [litTableLen]uint32
	distTable [distTableLen]uint32
	clenTable struct{ root [1 << clenRoot]uint32 }
)

func (t *litTable) at(bb uint64) uint32 {
	e := t[bb&(1<<litRoot-1)]
	if e&symSub != 0 {
		e = t[(uint64(e>>symBase)+bb>>litRoot&(1<<(e&symBits)-1))%litTableLen]
	}
	return e
}

func (t *distTable) at(bb uint64) uint32 {
	e := t[bb&(1<<distRoot-1)]
	if e&symSub != 0 {
		e = t[(uint64(e>>symBase)+bb>>distRoot&(1<<(e&symBits)-1))%distTableLen]
	}
	return e
}

// The entries of all symbols, still without the lengths of their codes.
var (
	litSymbols  = makeLitSymbols()
	distSymbols = makeDistSymbols()
	clenSymbols = makeClenSymbols()
)

// makeLitSymbols follows the table of lengths in [RFC 1951] 3.2.5.
func makeLitSymbols() (t [288]uint32) {
	for i := range 256 {
		t[i] = symLiteral | uint32(i)<<symBase
	}
	t[256] = symSpecial | symEnd
	base := uint32(3)
	for i := range 28 {
		extra := uint32(max(0, i/4-1))
		t[257+i] = extra<<symExtra | base<<symBase
		base += 1 << extra
	}
	t[285] = 258 << symBase
	t[286], t[287] = symInvalid, symInvalid
	return t
}

// makeDistSymbols follows the table of distances in [RFC 1951] 3.2.5.
func makeDistSymbols() (t [32]uint32) {
	base := uint32(1)
	for i := range 30 {
		extra := uint32(max(0, i/2-1))
		t[i] = extra<<symExtra | base<<symBase
		base += 1 << extra
	}
	t[30], t[31] = symInvalid, symInvalid
	return t
}

func makeClenSymbols() (t [19]uint32) {
	for i := range t {
		t[i] = uint32(i) << symBase
	}
	return t
}

// fixedTables returns the tables of blocks with fixed codes ([RFC 1951] 3.2.6).
var fixedTables = sync.OnceValues(func() (*litTable, *distTable) {
	var lens [288]uint8
	for i := range lens {
		switch {
		case i < 144:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		case i < 280:
			lens[i] = 7
		default:
			lens[i] = 8
		}
	}
	lit, dist := new(litTable), new(distTable)
	var five [32]uint8
	for i := range five {
		five[i] = 5
	}
	if err := buildTable(lit[:], litRoot, lens[:], litSymbols[:], true); err != nil {
		panic(err) // the codes are constant
	}
	if err := buildTable(dist[:], distRoot, five[:], distSymbols[:], true); err != nil {
		panic(err)
	}
	return lit, dist
})

// buildTable fills table with the canonical code that lens describes. A code may be incomplete only where zlib
// allows it: with sparse set, one single code of one bit, or none at all.
func buildTable(table []uint32, root uint8, lens []uint8, symbols []uint32, sparse bool) error {
	var count [maxCodeBits + 1]uint16
	for _, l := range lens {
		count[l]++
	}
	count[0] = 0
	longest := uint8(0)
	left := 1
	var next [maxCodeBits + 2]uint16
	for l := uint8(1); l <= maxCodeBits; l++ {
		left = left<<1 - int(count[l])
		if left < 0 {
			return dataError("zlib: more codes than %d bits hold", l)
		}
		if count[l] > 0 {
			longest = l
		}
		next[l+1] = (next[l] + count[l]) << 1
	}
	if left > 0 {
		if !sparse || longest > 1 {
			return dataError("zlib: incomplete code")
		}
		for i := range 1 << root {
			table[i] = symInvalid
		}
	}
	used := 1 << root
	if longest > root {
		// Entries of prefixes are told from those of the table before by being written first.
		for i := range used {
			table[i] = 0
		}
	}
	for sym, l := range lens {
		if l == 0 {
			continue
		}
		e := symbols[sym] | uint32(l)
		rev := reverse(next[l], l)
		next[l]++
		if l <= root {
			for i := rev; i < 1<<root; i += 1 << l {
				table[i] = e
			}
			continue
		}
		prefix := rev & (1<<root - 1)
		if table[prefix]&symSub == 0 {
			table[prefix] = symSpecial | symSub | uint32(longest-root) | uint32(used)<<symBase
			used += 1 << (longest - root)
		}
		sub := table[table[prefix]>>symBase:][:1<<(longest-root)]
		for i := rev >> root; i < uint32(len(sub)); i += 1 << (l - root) {
			sub[i] = e
		}
	}
	return nil
}

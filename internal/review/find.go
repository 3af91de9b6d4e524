package review

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// ErrCursor is returned for a cursor that no search gave out.
var ErrCursor = errors.New("review: bad cursor")

// ErrTooShort is returned by Find when nothing of what is looked for has three characters: no index leads there.
var ErrTooShort = errors.New("review: too short to look for in all recordings")

// Query says what is looked for.
type Query struct {
	Text  string   // words, or "several words" in quotes, all of which must be in one text
	Kinds []string // none: all
	Limit int
	// Cursor is where an earlier search ended; "": from the newest recording, or from the beginning of one.
	Cursor string
	// Sessions narrows Find to recordings of some people, targets and times.
	Sessions store.SessionFilter
}

// Hit is a text that has what was looked for.
type Hit struct {
	US      int64
	Kind    string
	Actor   string
	Snippet []Piece
}

// Found are the first hits of a recording, in order.
type Found struct {
	SessionID string
	Hits      []Hit
	More      bool // there are more in it
}

// matcher is a Query taken apart.
type matcher struct {
	terms []string
	kinds []string
	plain []string // of the terms: those that are in a block as they are, before it is taken apart
}

func newMatcher(q *Query) matcher {
	m := matcher{terms: terms(q.Text), kinds: q.Kinds}
	for _, t := range m.terms {
		// What JSON escapes, and what has other lower cases than ASCII's, is not to be seen from outside.
		if !strings.ContainsFunc(t, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"\\<>&`, r) }) {
			m.plain = append(m.plain, t)
		}
	}
	return m
}

// may tells, quickly, whether a block can have a hit.
func (m *matcher) may(block *store.SearchBlock) bool {
	if len(m.plain) == 0 {
		return true
	}
	lower := strings.ToLower(block.Texts)
	return !slices.ContainsFunc(m.plain, func(t string) bool { return !strings.Contains(lower, t) })
}

func (m *matcher) match(t *Text) (Hit, bool) {
	if len(m.kinds) > 0 && !slices.Contains(m.kinds, t.Kind) {
		return Hit{}, false
	}
	pieces, ok := snippet(t.Text, m.terms)
	return Hit{US: t.US, Kind: t.Kind, Actor: t.Actor, Snippet: pieces}, ok
}

// Find looks through all recordings in the index, the newest first, and returns at most q.Limit of those with hits that allowed
// says yes to. next, unless "", is the Cursor of what follows; there may be less there than was asked for, even nothing.
func (s *Service) Find(ctx context.Context, q Query, allowed func(ctx context.Context, sessionID string) (bool, error)) (page []Found, next string, err error) {
	if s.opts.Mode == ModeOff {
		return nil, "", ErrOff
	}
	m := newMatcher(&q)
	if !store.Searchable(m.terms) {
		return nil, "", ErrTooShort
	}
	before, err := parseCursor(q.Cursor)
	if err != nil {
		return nil, "", err
	}
	for looked := 0; ; {
		ids, err := s.opts.DB.Search.Match(ctx, store.SearchQuery{
			Terms: m.terms, Kinds: bitsOf(q.Kinds...), Sessions: q.Sessions, Before: before, Limit: matchLimit,
		})
		if err != nil {
			return nil, "", err
		}
		groups := grouped(ids)
		last := len(ids) < matchLimit
		if !last { // the oldest may be cut in two
			groups = groups[:len(groups)-1]
		}
		for chunk := range slices.Chunk(groups, groupsRead) {
			found, err := s.read(ctx, &m, chunk)
			if err != nil {
				return nil, "", err
			}
			for i, f := range found {
				if len(f.Hits) == 0 {
					continue
				}
				if len(page) == q.Limit || looked == maxLooked {
					return page, formatCursor(before), nil
				}
				looked++
				yes, err := allowed(ctx, f.SessionID)
				if err != nil {
					return nil, "", err
				}
				if yes {
					page = append(page, f)
				}
				before = store.BaseOf(chunk[i][0])
			}
		}
		if last {
			return page, "", nil
		}
		before = store.BaseOf(groups[len(groups)-1][0])
	}
}

// grouped puts the numbers of one recording's blocks together.
func grouped(ids []int64) (groups [][]int64) {
	for _, id := range ids {
		if n := len(groups); n > 0 && store.BaseOf(groups[n-1][0]) == store.BaseOf(id) {
			groups[n-1] = append(groups[n-1], id)
			continue
		}
		groups = append(groups, []int64{id})
	}
	return groups
}

// read finds the hits in recordings whose blocks may have some.
func (s *Service) read(ctx context.Context, m *matcher, groups [][]int64) ([]Found, error) {
	bases, first := make([]int64, len(groups)), []int64(nil)
	for i, g := range groups {
		bases[i] = store.BaseOf(g[0])
		first = append(first, g[:min(len(g), firstBlocks)]...)
	}
	sessions, err := s.opts.DB.Search.SessionsOf(ctx, bases)
	if err != nil {
		return nil, err
	}
	blocks, err := s.opts.DB.Search.Blocks(ctx, first)
	if err != nil {
		return nil, err
	}
	found := make([]Found, len(groups))
	for i, g := range groups {
		found[i].SessionID = sessions[bases[i]]
		for len(blocks) > 0 && blocks[0].Base() == bases[i] {
			if err := found[i].take(m, &blocks[0]); err != nil {
				return nil, err
			}
			blocks = blocks[1:]
		}
		for rest := g[min(len(g), firstBlocks):]; len(rest) > 0 && len(found[i].Hits) < hitsEach; {
			n := min(len(rest), 4*firstBlocks)
			more, err := s.opts.DB.Search.Blocks(ctx, rest[:n])
			if err != nil {
				return nil, err
			}
			for j := range more {
				if err := found[i].take(m, &more[j]); err != nil {
					return nil, err
				}
			}
			rest = rest[n:]
		}
		if found[i].SessionID == "" { // forgotten meanwhile
			found[i].Hits = nil
		}
	}
	return found, nil
}

// take adds the hits of a block.
func (f *Found) take(m *matcher, block *store.SearchBlock) error {
	if !m.may(block) {
		return nil
	}
	texts, err := unpack(block)
	if err != nil {
		return fmt.Errorf("review: block %d of the search index: %w", block.ID, err)
	}
	for i := range texts {
		hit, ok := m.match(&texts[i])
		switch {
		case !ok:
		case len(f.Hits) == hitsEach:
			f.More = true
			return nil
		default:
			f.Hits = append(f.Hits, hit)
		}
	}
	return nil
}

// FindIn looks through one recording, in order, by the index where it is there and by reading the recording where not. next,
// unless "", is the Cursor of what follows.
func (s *Service) FindIn(ctx context.Context, sessionID string, q Query) (hits []Hit, next string, err error) {
	m := matcher{terms: terms(q.Text), kinds: q.Kinds}
	skip, err := parseCursor(q.Cursor)
	if err != nil {
		return nil, "", err
	}
	var n int64 // texts looked at
	take := func(texts []Text) (full bool) {
		for i := range texts {
			if n++; n <= skip {
				continue
			}
			hit, ok := m.match(&texts[i])
			if !ok {
				continue
			}
			if len(hits) == q.Limit {
				next = formatCursor(n - 1)
				return true
			}
			hits = append(hits, hit)
		}
		return false
	}
	if len(m.terms) == 0 {
		return nil, "", nil
	}
	p, err := s.opts.DB.Search.Progress(ctx, sessionID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, "", err
	}
	if err != nil || !p.Done || p.Blocks == 0 {
		r, err := s.opts.Library.Open(ctx, sessionID)
		if err != nil {
			return nil, "", err
		}
		defer r.Close()
		texts, err := s.texts(ctx, r)
		if _, damaged := errors.AsType[*recording.CorruptError](err); err != nil && !damaged {
			return nil, "", err
		}
		take(texts)
		return hits, next, nil
	}
	for before := int64(0); ; {
		blocks, err := s.opts.DB.Search.BlocksOf(ctx, p.Base, before, batchBlocks)
		if err != nil {
			return nil, "", err
		}
		for i := range blocks {
			texts, err := unpack(&blocks[i])
			if err != nil {
				return nil, "", fmt.Errorf("review: block %d of the search index: %w", blocks[i].ID, err)
			}
			if take(texts) {
				return hits, next, nil
			}
			before = blocks[i].ID
		}
		if len(blocks) < batchBlocks {
			return hits, "", nil
		}
	}
}

func parseCursor(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 36, 64)
	if err != nil || n <= 0 || formatCursor(n) != s {
		return 0, ErrCursor
	}
	return n, nil
}

func formatCursor(n int64) string { return strconv.FormatInt(n, 36) }

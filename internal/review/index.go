package review

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// index brings a recording's part of the index up to date.
func (s *Service) index(ctx context.Context, id string) error {
	if secret, err := s.secret(ctx, id); err != nil || secret {
		if err == nil {
			err = s.empty(ctx, id)
		}
		return err
	}
	r, err := s.opts.Library.Open(ctx, id)
	if errors.Is(err, recording.ErrNotFound) {
		return s.empty(ctx, id)
	}
	if err != nil {
		return err
	}
	defer r.Close()
	p, err := s.opts.DB.Search.Progress(ctx, id)
	switch {
	case err == nil && p.Done:
		return nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	case err != nil || r.Sealed():
		if p, err = s.opts.DB.Search.Begin(ctx, id); err != nil {
			return err
		}
	}
	if !r.Sealed() {
		return s.follow(ctx, r, &p)
	}
	return s.whole(ctx, r, &p)
}

// empty notes that nothing of a recording is to be in the index, once it is sealed for good.
func (s *Service) empty(ctx context.Context, id string) error {
	p, err := s.opts.DB.Search.Progress(ctx, id)
	if err == nil && p.Done && p.Blocks == 0 {
		return nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if p, err = s.opts.DB.Search.Begin(ctx, id); err != nil {
		return err
	}
	p.Done = true
	return s.opts.DB.Search.Add(ctx, &p, nil)
}

// follow adds what a running recording's files have got since.
func (s *Service) follow(ctx context.Context, r *recording.Recording, p *store.SearchProgress) error {
	for {
		page, err := r.Events(ctx, recording.EventQuery{After: p.Cursor, Limit: 5000})
		if err != nil {
			return err
		}
		b := packer{used: p.Blocks}
		for _, line := range page.Events {
			var head struct {
				US   int64  `json:"t_us"`
				Kind string `json:"kind"`
			}
			if json.Unmarshal(line, &head) != nil {
				continue
			}
			if t, ok := textOf(head.US, head.Kind, line); ok {
				b.add(t)
			}
		}
		b.flush()
		if len(b.blocks) == 0 && page.Next == p.Cursor {
			return nil
		}
		p.Cursor = page.Next
		if err := s.opts.DB.Search.Add(ctx, p, b.blocks); err != nil {
			return err
		}
		if !page.More {
			return nil
		}
	}
}

// whole adds all of a sealed recording.
func (s *Service) whole(ctx context.Context, r *recording.Recording, p *store.SearchProgress) error {
	texts, err := s.texts(ctx, r)
	corrupt, damaged := errors.AsType[*recording.CorruptError](err)
	switch {
	case errors.Is(err, recording.ErrNoKey): // shredded: there is nothing to find any more
		texts = nil
	case damaged:
		s.log.Warn("search index has only what is whole of a recording", "session_id", p.SessionID, "error", corrupt)
	case err != nil:
		return err
	}
	b := packer{}
	for _, t := range texts {
		b.add(t)
		if len(b.blocks) >= batchBlocks {
			if err := s.opts.DB.Search.Add(ctx, p, b.blocks); err != nil {
				return err
			}
			b.blocks = b.blocks[:0]
		}
	}
	b.flush()
	p.Done = true
	if b.used > store.MaxSearchBlocks {
		s.log.Warn("search index has only the beginning of a recording", "session_id", p.SessionID, "blocks", b.used)
	}
	return s.opts.DB.Search.Add(ctx, p, b.blocks)
}

// Texts reads what can be looked for in a recording, in order.
func (s *Service) Texts(ctx context.Context, r *recording.Recording) ([]Text, error) {
	return s.texts(ctx, r)
}

// texts reads what can be looked for in a recording, in order. With a *recording.CorruptError comes what was whole before.
func (s *Service) texts(ctx context.Context, r *recording.Recording) (texts []Text, err error) {
	f := fallback{}
	if s.opts.NewTypist != nil {
		f.typist = s.opts.NewTypist()
	}
	for _, file := range r.EventFiles() {
		err = r.EachEvent(ctx, file.Name, func(us int64, kind string, line []byte) error {
			if t, ok := textOf(us, kind, line); ok {
				texts = append(texts, t)
			}
			f.event(us, kind, line)
			return nil
		})
		if errors.Is(err, recording.ErrNotFound) && file.Open {
			err = nil // closed, uploaded and deleted meanwhile
		}
		if err != nil {
			break
		}
	}
	texts = append(texts, f.end()...)
	slices.SortStableFunc(texts, func(a, b Text) int { return compare(a.US, b.US) }) // what was read off the screen comes late
	return texts, err
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// fallback makes lines of keys for as long as a recording has shown none of its own.
type fallback struct {
	typist Typist // nil: there are lines, or none can be made
	lines  []Text
}

func (f *fallback) event(us int64, kind string, line []byte) {
	switch {
	case f.typist == nil:
	case kind == KindLine:
		f.typist, f.lines = nil, nil
	case len(f.lines) < maxFallback:
		f.lines = append(f.lines, f.typist.Event(us, kind, line)...)
	}
}

func (f *fallback) end() []Text {
	if f.typist == nil {
		return nil
	}
	return append(f.lines, f.typist.End()...)
}

// packer puts texts into blocks.
type packer struct {
	blocks []store.SearchBlock
	used   int // blocks, with those that are not its own any more
	texts  []Text
	size   int
}

func (b *packer) add(t Text) {
	b.texts = append(b.texts, t)
	b.size += len(t.Text)
	if b.size >= blockBytes && (b.used < bigBlocksFrom || b.size >= bigBlockBytes) {
		b.flush()
	}
}

func (b *packer) flush() {
	if len(b.texts) == 0 {
		return
	}
	block := store.SearchBlock{}
	folded := make([]string, len(b.texts))
	for i, t := range b.texts {
		block.Kinds |= bitsOf(t.Kind)
		folded[i] = fold(t.Text)
	}
	encoded, err := json.Marshal(b.texts)
	if err != nil { // of strings and numbers
		panic(err)
	}
	block.Texts, block.Folded = string(encoded), strings.Join(folded, "\n")
	b.blocks = append(b.blocks, block)
	b.texts, b.size = nil, 0
	b.used++
}

// unpack reads a block's texts.
func unpack(block *store.SearchBlock) (texts []Text, err error) {
	return texts, json.Unmarshal([]byte(block.Texts), &texts)
}

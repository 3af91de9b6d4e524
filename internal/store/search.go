package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// Search is the index of the texts of recordings. It is made of the recordings and can be made again, so backups leave it
// out, and a change of its format (searchFormat) makes it anew.
//
// A recording's texts rest in blocks of a few KiB. search_grams leads from a text to the blocks it may be in: by FTS5 with
// trigrams in SQLite, by a tsvector of trigrams in PostgreSQL, which needs no extension there. What people look for is a
// piece of a command or a path (/etc/shadow, Invoke-Mimikatz): words as a language cuts them do not lead there. That the
// text truly is in a block is for the caller to see: PostgreSQL says only that the block has all of its trigrams.
//
// The number of a block is that of its recording (Base), which begins with the time the session started, and its place from
// the end. So blocks by number, descending, are the newest recording first and each from its beginning.
type Search struct {
	db    conn
	store *Store
}

const (
	// searchFormat is the version of what is in the index. Another one makes it anew.
	searchFormat = 1
	// blockBits are the bits of a block's number that count the blocks of one recording, baseBits those that tell recordings
	// of one millisecond apart.
	blockBits, baseBits = 12, 10
	// MaxSearchBlocks bounds the blocks of a recording.
	MaxSearchBlocks = 1 << blockBits
	// searchTables begins the names of the index's tables.
	searchTables = "search_"
	// gram is the length of what is looked up, in characters.
	gram = 3
)

// searchEpoch is where the numbers of recordings begin.
var searchEpoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// searchEngine is the index as a database has it.
type searchEngine struct {
	tables   []string                    // statements that make them
	insert   string                      // $1: number of the block, $2: what document makes
	remove   string                      // $1, $2: numbers, inclusive
	with     string                      // makes m(id): the blocks that match $1 and whose number is below $2, and $3 at least
	document func(folded string) string  // of all the text of a block
	query    func(terms []string) string // for with's $1; each term has gram characters at least
}

// SearchProgress is how far a recording is in the index.
type SearchProgress struct {
	SessionID string
	Base      int64
	Blocks    int    // there are
	Cursor    string // of recording.EventPage: what comes next
	Done      bool   // sealed, and all of it is in
}

// SearchBlock is a piece of a recording's texts.
type SearchBlock struct {
	ID     int64
	Kinds  int64  // a bit for each kind in it
	Texts  string // for the caller to make and to read
	Folded string // what is looked for in it; not read back
}

// Base is the number of the recording a block is of.
func (b *SearchBlock) Base() int64 { return BaseOf(b.ID) }

// BaseOf is the number of the recording that a block of that number is of.
func BaseOf(block int64) int64 { return block &^ (MaxSearchBlocks - 1) }

// SearchQuery says which blocks are looked for.
type SearchQuery struct {
	Terms    []string // folded, all of which the block must have; at least one of 3 characters or more
	Kinds    int64    // bits, one of which the block must have; 0: any
	Sessions SessionFilter
	Before   int64 // only blocks of a lower number; 0: all
	Limit    int
}

// Searchable tells whether one of the terms is long enough to lead anywhere.
func Searchable(terms []string) bool {
	return slices.ContainsFunc(terms, func(t string) bool { return len([]rune(t)) >= gram })
}

// prepareSearch makes the index's tables, and makes them anew when they are of another format.
func prepareSearch(ctx context.Context, db *sql.DB, kind engine) error {
	names, err := texts(ctx, db, kind.tables)
	if err != nil {
		return err
	}
	format := 0
	if slices.Contains(names, "search_format") {
		if err := db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM search_format`).Scan(&format); err != nil {
			return err
		}
	}
	if format == searchFormat {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // no effect once committed
	statements := []string{
		`DROP TABLE IF EXISTS search_grams`, `DROP TABLE IF EXISTS search_blocks`,
		`DROP TABLE IF EXISTS search_sessions`, `DROP TABLE IF EXISTS search_format`,
	}
	statements = append(statements, kind.search.tables...)
	statements = append(statements,
		`CREATE TABLE search_sessions (session_id TEXT PRIMARY KEY, base BIGINT NOT NULL UNIQUE, blocks INTEGER NOT NULL, next_event TEXT NOT NULL, done INTEGER NOT NULL)`,
		`CREATE TABLE search_format (version INTEGER NOT NULL)`,
		fmt.Sprintf(`INSERT INTO search_format (version) VALUES (%d)`, searchFormat))
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return tx.Commit()
}

// firstBase is the number a recording asks for. Another that began in the same millisecond may have it.
func firstBase(sessionID string) int64 {
	at := time.Now()
	if id, err := ulid.ParseStrict(sessionID); err == nil {
		at = id.Timestamp()
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(sessionID))
	return millisecondBase(at) | int64(h.Sum32()&(1<<baseBits-1))<<blockBits
}

// millisecondBase is the lowest number of what began in a millisecond.
func millisecondBase(at time.Time) int64 {
	ms := min(max(at.Sub(searchEpoch).Milliseconds(), 0), 1<<(63-blockBits-baseBits)-1)
	return ms << (blockBits + baseBits)
}

// Progress returns how far a recording is in the index; ErrNotFound when it is not.
func (r *Search) Progress(ctx context.Context, sessionID string) (SearchProgress, error) {
	p := SearchProgress{SessionID: sessionID}
	var done int
	err := r.db.QueryRowContext(ctx, `SELECT base, blocks, next_event, done FROM search_sessions WHERE session_id = $1`, sessionID).
		Scan(&p.Base, &p.Blocks, &p.Cursor, &done)
	p.Done = done != 0
	if err != nil {
		return SearchProgress{}, fmt.Errorf("store: search progress: %w", mapError(err))
	}
	return p, nil
}

// Begin makes a recording known to the index without a text; one that is known loses those it has.
func (r *Search) Begin(ctx context.Context, sessionID string) (SearchProgress, error) {
	p := SearchProgress{SessionID: sessionID}
	err := r.store.Tx(ctx, func(tx *Store) error {
		known, err := tx.Search.Progress(ctx, sessionID)
		switch {
		case err == nil:
			p.Base = known.Base
			return errors.Join(tx.Search.clear(ctx, known.Base), tx.Search.put(ctx, p))
		case !errors.Is(err, ErrNotFound):
			return err
		}
		for p.Base = firstBase(sessionID); ; p.Base += MaxSearchBlocks {
			var taken int
			if err := tx.Search.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM search_sessions WHERE base = $1`, p.Base).Scan(&taken); err != nil {
				return fmt.Errorf("store: begin search: %w", err)
			}
			if taken == 0 {
				return tx.Search.put(ctx, p)
			}
		}
	})
	return p, err
}

// Add adds blocks to a recording and notes how far it is. At most MaxSearchBlocks fit; p.Blocks counts those that did.
func (r *Search) Add(ctx context.Context, p *SearchProgress, blocks []SearchBlock) error {
	was := p.Blocks
	return r.store.Tx(ctx, func(tx *Store) error {
		p.Blocks = was
		grams := r.store.engine.search
		for _, b := range blocks {
			if p.Blocks == MaxSearchBlocks {
				break
			}
			id := p.Base + int64(MaxSearchBlocks-1-p.Blocks)
			if _, err := tx.Search.db.ExecContext(ctx, `INSERT INTO search_blocks (id, kinds, texts) VALUES ($1, $2, $3)`, id, b.Kinds, b.Texts); err != nil {
				return fmt.Errorf("store: add to search: %w", mapError(err))
			}
			if _, err := tx.Search.db.ExecContext(ctx, grams.insert, id, grams.document(tidyText(b.Folded))); err != nil {
				return fmt.Errorf("store: add to search: %w", mapError(err))
			}
			p.Blocks++
		}
		return tx.Search.put(ctx, *p)
	})
}

func (r *Search) put(ctx context.Context, p SearchProgress) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO search_sessions (session_id, base, blocks, next_event, done) VALUES ($1, $2, $3, $4, $5)
		 ON CONFLICT (session_id) DO UPDATE SET blocks = excluded.blocks, next_event = excluded.next_event, done = excluded.done`,
		p.SessionID, p.Base, p.Blocks, p.Cursor, flag(p.Done))
	if err != nil {
		return fmt.Errorf("store: search progress: %w", mapError(err))
	}
	return nil
}

// clear removes a recording's blocks.
func (r *Search) clear(ctx context.Context, base int64) error {
	for _, statement := range []string{r.store.engine.search.remove, `DELETE FROM search_blocks WHERE id BETWEEN $1 AND $2`} {
		if _, err := r.db.ExecContext(ctx, statement, base, base+MaxSearchBlocks-1); err != nil {
			return fmt.Errorf("store: clear search: %w", err)
		}
	}
	return nil
}

// Forget removes a recording from the index. One that is not there is no error.
func (r *Search) Forget(ctx context.Context, sessionID string) error {
	return r.store.Tx(ctx, func(tx *Store) error {
		p, err := tx.Search.Progress(ctx, sessionID)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := tx.Search.clear(ctx, p.Base); err != nil {
			return err
		}
		if _, err := tx.Search.db.ExecContext(ctx, `DELETE FROM search_sessions WHERE session_id = $1`, sessionID); err != nil {
			return fmt.Errorf("store: forget search: %w", err)
		}
		return nil
	})
}

// ForgetAll empties the index.
func (r *Search) ForgetAll(ctx context.Context) error {
	for {
		list, err := texts(ctx, r.db, `SELECT session_id FROM search_sessions ORDER BY session_id LIMIT 500`)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, id := range list {
			if err := r.Forget(ctx, id); err != nil {
				return err
			}
		}
	}
}

// SearchCounts are how much is in the index.
type SearchCounts struct {
	Recordings, Blocks int
	Behind             int // sealed recordings that are not wholly in it
}

// Counts returns how much is in the index.
func (r *Search) Counts(ctx context.Context) (n SearchCounts, err error) {
	err = r.db.QueryRowContext(ctx, `SELECT
		(SELECT COUNT(*) FROM search_sessions WHERE blocks > 0), (SELECT COUNT(*) FROM search_blocks),
		(SELECT COUNT(*) FROM recordings LEFT JOIN search_sessions ON search_sessions.session_id = recordings.session_id
		 WHERE recordings.state = 'sealed' AND COALESCE(done, 0) = 0)`).Scan(&n.Recordings, &n.Blocks, &n.Behind)
	if err != nil {
		return SearchCounts{}, fmt.Errorf("store: count search: %w", err)
	}
	return n, nil
}

// Behind returns sealed recordings that are not wholly in the index, newest first, and of a lower id than before ("": from
// the newest).
func (r *Search) Behind(ctx context.Context, before string, limit int) ([]string, error) {
	return texts(ctx, r.db, fmt.Sprintf(
		`SELECT recordings.session_id FROM recordings LEFT JOIN search_sessions ON search_sessions.session_id = recordings.session_id
		 WHERE recordings.state = 'sealed' AND COALESCE(done, 0) = 0 AND ($1 = '' OR recordings.session_id < $1)
		 ORDER BY recordings.session_id DESC LIMIT %d`, limit), before)
}

// Orphans returns recordings that are in the index and nowhere else any more.
func (r *Search) Orphans(ctx context.Context, limit int) ([]string, error) {
	return texts(ctx, r.db, fmt.Sprintf(
		`SELECT search_sessions.session_id FROM search_sessions LEFT JOIN recordings ON recordings.session_id = search_sessions.session_id
		 WHERE recordings.session_id IS NULL OR recordings.state NOT IN ('recording', 'uploading', 'sealed')
		 ORDER BY search_sessions.session_id LIMIT %d`, limit))
}

// Match returns the numbers of blocks that may hold all terms of q, the highest first. q.Terms must be Searchable.
func (r *Search) Match(ctx context.Context, q SearchQuery) ([]int64, error) {
	terms := slices.DeleteFunc(slices.Clone(q.Terms), func(t string) bool { return len([]rune(t)) < gram })
	if q.Before <= 0 {
		q.Before = 1<<63 - 1
	}
	first := int64(0)
	if t := q.Sessions.Since; !t.IsZero() {
		first = millisecondBase(t.Add(-clockSlack))
	}
	if t := q.Sessions.Until; !t.IsZero() {
		q.Before = min(q.Before, millisecondBase(t.Add(clockSlack)))
	}
	where, args := q.Sessions.where()
	all := len(args) == 0 && where == `1 = 1`
	// The three arguments of the match come first.
	for n := len(args); n > 0; n-- {
		where = strings.ReplaceAll(where, fmt.Sprintf("$%d", n), fmt.Sprintf("$%d", n+3))
	}
	from := `m`
	if all {
		where = `1 = 1`
	} else { // in this order: the sessions are looked up for the blocks, not the blocks for the sessions
		from = `m CROSS JOIN search_sessions CROSS JOIN sessions`
		where = fmt.Sprintf(`search_sessions.base = m.id - m.id %% %d AND sessions.id = search_sessions.session_id AND %s`, MaxSearchBlocks, where)
	}
	if q.Kinds != 0 {
		where += fmt.Sprintf(` AND EXISTS (SELECT 1 FROM search_blocks WHERE search_blocks.id = m.id AND (kinds & %d) <> 0)`, q.Kinds)
	}
	grams := r.store.engine.search
	return collect(ctx, r.db, "search", func(row scanner) (id int64, err error) { return id, row.Scan(&id) },
		fmt.Sprintf(`%s SELECT m.id FROM %s WHERE %s ORDER BY m.id DESC LIMIT %d`, grams.with, from, where, q.Limit),
		append([]any{grams.query(terms), q.Before, first}, args...)...)
}

// Blocks reads blocks by their numbers, the highest first.
func (r *Search) Blocks(ctx context.Context, ids []int64) ([]SearchBlock, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = fmt.Sprint(id)
	}
	return collect(ctx, r.db, "search blocks", scanBlock,
		`SELECT id, kinds, texts FROM search_blocks WHERE id IN (`+strings.Join(list, ", ")+`) ORDER BY id DESC`)
}

// BlocksOf reads the blocks of a recording in their order, those of a lower number than before (0: all).
func (r *Search) BlocksOf(ctx context.Context, base, before int64, limit int) ([]SearchBlock, error) {
	if before <= 0 {
		before = base + MaxSearchBlocks
	}
	return collect(ctx, r.db, "search blocks", scanBlock, fmt.Sprintf(
		`SELECT id, kinds, texts FROM search_blocks WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT %d`, limit), base, before)
}

func scanBlock(row scanner) (b SearchBlock, err error) { return b, row.Scan(&b.ID, &b.Kinds, &b.Texts) }

// SessionsOf returns the sessions of recordings by their numbers.
func (r *Search) SessionsOf(ctx context.Context, bases []int64) (map[int64]string, error) {
	out := map[int64]string{}
	if len(bases) == 0 {
		return out, nil
	}
	list := make([]string, len(bases))
	for i, base := range bases {
		list[i] = fmt.Sprint(base)
	}
	_, err := collect(ctx, r.db, "searched sessions", func(row scanner) (struct{}, error) {
		var base int64
		var id string
		err := row.Scan(&base, &id)
		out[base] = id
		return struct{}{}, err
	}, `SELECT base, session_id FROM search_sessions WHERE base IN (`+strings.Join(list, ", ")+`)`)
	return out, err
}

// grams are the distinct trigrams of a text.
func gramsOf(s string) []string {
	runes := []rune(s)
	seen := make(map[string]bool, len(runes))
	var list []string
	for i := 0; i+gram <= len(runes); i++ {
		if g := string(runes[i : i+gram]); !seen[g] {
			seen[g] = true
			list = append(list, g)
		}
	}
	return list
}

// sqliteSearch is FTS5: its trigram tokenizer knows places, and finds a text as it is written. What is searched in is folded
// before, here and there alike.
var sqliteSearch = searchEngine{
	tables: []string{
		`CREATE VIRTUAL TABLE search_grams USING fts5(body, content='', contentless_delete=1, tokenize='trigram case_sensitive 1')`,
		`CREATE TABLE search_blocks (id INTEGER PRIMARY KEY, kinds BIGINT NOT NULL, texts TEXT NOT NULL)`,
	},
	insert:   `INSERT INTO search_grams (rowid, body) VALUES ($1, $2)`,
	remove:   `DELETE FROM search_grams WHERE rowid IN (SELECT id FROM search_blocks WHERE id BETWEEN $1 AND $2)`,
	with:     `WITH m AS (SELECT rowid AS id FROM search_grams WHERE search_grams MATCH $1 AND rowid < $2 AND rowid >= $3)`,
	document: func(folded string) string { return folded },
	query: func(terms []string) string {
		quoted := make([]string, len(terms))
		for i, t := range terms {
			quoted[i] = `"` + strings.ReplaceAll(t, `"`, `""`) + `"`
		}
		return strings.Join(quoted, " AND ")
	},
}

// postgresSearch is a tsvector of trigrams made here, so that no parser of PostgreSQL's decides what a word is. The matches
// are found first, by the index, whatever the planner thinks of how many there are.
var postgresSearch = searchEngine{
	tables: []string{
		`CREATE TABLE search_grams (id BIGINT PRIMARY KEY, grams TSVECTOR NOT NULL)`,
		`CREATE INDEX search_grams_gin ON search_grams USING GIN (grams) WITH (gin_pending_list_limit = 256)`, // in kB; each search reads what is pending
		`CREATE TABLE search_blocks (id BIGINT PRIMARY KEY, kinds BIGINT NOT NULL, texts TEXT NOT NULL)`,
	},
	insert: `INSERT INTO search_grams (id, grams) VALUES ($1, array_to_tsvector($2::text[]))`,
	remove: `DELETE FROM search_grams WHERE id BETWEEN $1 AND $2`,
	with:   `WITH m AS MATERIALIZED (SELECT id FROM search_grams WHERE grams @@ $1::tsquery AND id < $2 AND id >= $3)`,
	document: func(folded string) string { // an array's literal
		quoted := gramsOf(folded)
		for i, g := range quoted {
			quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(g) + `"`
		}
		return "{" + strings.Join(quoted, ",") + "}"
	},
	query: func(terms []string) string {
		quoted := gramsOf(terms[0])
		for _, t := range terms[1:] {
			quoted = append(quoted, gramsOf(t)...)
		}
		for i, g := range quoted {
			quoted[i] = `'` + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(g) + `'`
		}
		return strings.Join(quoted, " & ")
	},
}

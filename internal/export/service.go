// Package export takes recordings out of the gateway: as one MP4, with time and events drawn into the picture if wanted, or
// as an evidence package, which anybody can verify without the gateway.
//
// Both take their time, so each is a job in the store. A Service does them, a few at a time with the lowest priority, in a
// folder of its own for each; one that a restart breaks off goes on where it was. Results are in the clear and expire. Who downloads
// one asks for a ticket first, which is good for one download by that person.
package export

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/review"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Kinds of exports.
const (
	MP4     = "mp4"
	Package = "package"
)

const (
	maxOpen        = 10 // jobs of one person that wait or run
	ticketTime     = 2 * time.Minute
	cleanEvery     = time.Minute
	noteEvery      = time.Second // progress in the store
	maxListed      = 100
	finishTimeout  = 15 * time.Second
	partLength     = time.Minute // of what is encoded at a time; less is done again after a restart
	noteBytes      = 32 << 20    // copied between two notes of how far a job is
	recordingField = "recording"
)

// ErrNotReady is about the result of a job that has none.
var ErrNotReady = errors.New("export: there is no result")

// errOver is about a job that has ended meanwhile.
var errOver = errors.New("export: the job is over")

// Signing signs packages, by the key as it is at the moment.
type Signing interface {
	recording.Signer
	Trust() (recording.Trust, error)
}

// Texts reads what is typed, copied and shown in a recording.
type Texts interface {
	Texts(ctx context.Context, r *recording.Recording) ([]review.Text, error)
}

// Options are what a Service is made of.
type Options struct {
	DB      *store.Store
	Library *recording.Library
	Signing Signing
	// PublicKeys returns the gateway's public keys, for packages.
	PublicKeys func() ([]byte, error)
	Texts      Texts
	Audit      audit.Recorder
	Folder     string // of work files and results
	FFmpeg     string
	Concurrent int
	Expiry     time.Duration
	Now        func() time.Time // nil: time.Now
	Logger     *slog.Logger
}

// Service does exports.
type Service struct {
	opts Options
	wake chan struct{} // capacity 1: there is a new job

	part  time.Duration // partLength; tests change it
	bytes int64         // noteBytes; likewise

	mu      sync.Mutex
	running map[string]context.CancelFunc // by job
}

// New returns a Service. Run does the work.
func New(opts Options) *Service {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Service{opts: opts, wake: make(chan struct{}, 1), part: partLength, bytes: noteBytes, running: map[string]context.CancelFunc{}}
}

// Wish is what somebody wants exported.
type Wish struct {
	SessionID        string
	Kind             string
	Film             Film // of MP4
	Reason           string
	UserID, UserName string
}

// Begin makes a job of a wish. It returns store.ErrTooMany for one too many of a person.
func (s *Service) Begin(ctx context.Context, w Wish) (store.ExportJob, error) {
	options, err := json.Marshal(w.Film)
	if err != nil {
		return store.ExportJob{}, err
	}
	j := store.ExportJob{
		ID: ulid.Make().String(), SessionID: w.SessionID, Kind: w.Kind, Options: string(options), Reason: w.Reason, UserID: w.UserID, UserName: w.UserName,
		State: store.ExportWaiting, CreatedAt: s.opts.Now(),
	}
	if err := s.opts.DB.Exports.Create(ctx, j, maxOpen); err != nil {
		return store.ExportJob{}, err
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return j, nil
}

// Get returns a job of a session.
func (s *Service) Get(ctx context.Context, session, id string) (store.ExportJob, error) {
	return s.opts.DB.Exports.Get(ctx, session, id)
}

// List returns the newest jobs of a session.
func (s *Service) List(ctx context.Context, session string) ([]store.ExportJob, error) {
	return s.opts.DB.Exports.List(ctx, session, maxListed)
}

// Cancel ends a job that waits or runs, and removes the result of one that is done.
func (s *Service) Cancel(ctx context.Context, session, id string) error {
	j, err := s.Get(ctx, session, id)
	if err != nil {
		return err
	}
	if j.State == store.ExportDone {
		if err := s.opts.DB.Exports.Remove(ctx, id); err != nil {
			return err
		}
		return s.removeFiles(id)
	}
	err = s.opts.DB.Exports.Finish(ctx, store.ExportJob{ID: id, State: store.ExportCancelled, FinishedAt: s.opts.Now()})
	if errors.Is(err, store.ErrNotFound) {
		return nil // it is over
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.running[id]; cancel != nil {
		cancel()
	}
	return err
}

// Ticket lets a person download a result once, soon.
func (s *Service) Ticket(ctx context.Context, session, id, userID string) (ticket string, until time.Time, err error) {
	if _, err := s.Get(ctx, session, id); err != nil {
		return "", time.Time{}, err
	}
	ticket, until = rand.Text(), s.opts.Now().Add(ticketTime)
	err = s.opts.DB.Exports.SetTicket(ctx, id, hashOf(ticket), userID, until)
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNotReady
	}
	return ticket, until, err
}

func hashOf(ticket string) string {
	sum := sha256.Sum256([]byte(ticket))
	return hex.EncodeToString(sum[:])
}

// Download opens a result with a ticket, which is used up by that.
func (s *Service) Download(ctx context.Context, session, id, userID, ticket string) (store.ExportJob, *os.File, error) {
	j, err := s.Get(ctx, session, id)
	if err != nil {
		return j, nil, err
	}
	if err := s.opts.DB.Exports.UseTicket(ctx, id, hashOf(ticket), userID, s.opts.Now()); err != nil {
		return j, nil, err
	}
	f, err := os.Open(filepath.Join(s.opts.Folder, id, resultName))
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil, ErrNotReady
	}
	return j, f, err
}

func (s *Service) removeFiles(id string) error {
	root, err := os.OpenRoot(s.opts.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	return root.RemoveAll(id)
}

// Run does the jobs until ctx ends; what is not finished by then goes on in the next life.
func (s *Service) Run(ctx context.Context) error {
	if err := os.MkdirAll(s.opts.Folder, 0o700); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	var group sync.WaitGroup
	defer group.Wait()
	slots := make(chan struct{}, s.opts.Concurrent)
	done := make(chan struct{}, s.opts.Concurrent) // one for each slot: a job has ended
	tick := time.NewTicker(cleanEvery)
	defer tick.Stop()
	for {
		if err := s.clean(ctx); err != nil && ctx.Err() == nil {
			s.opts.Logger.ErrorContext(ctx, "exports not cleaned up", "error", err)
		}
		if err := s.startJobs(ctx, slots, done, &group); err != nil && ctx.Err() == nil {
			s.opts.Logger.ErrorContext(ctx, "exports not begun", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.wake:
		case <-done:
		}
	}
}

// startJobs begins as many open jobs as there is room for.
func (s *Service) startJobs(ctx context.Context, slots, done chan struct{}, group *sync.WaitGroup) error {
	open, err := s.opts.DB.Exports.Open(ctx, 4*s.opts.Concurrent+maxOpen)
	if err != nil {
		return err
	}
	for _, j := range open {
		s.mu.Lock()
		_, busy := s.running[j.ID]
		s.mu.Unlock()
		if busy {
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			return nil
		}
		jobCtx, cancel := context.WithCancel(ctx)
		s.mu.Lock()
		s.running[j.ID] = cancel
		s.mu.Unlock()
		group.Go(func() {
			s.do(jobCtx, j)
			cancel()
			s.mu.Lock()
			delete(s.running, j.ID)
			s.mu.Unlock()
			<-slots
			select {
			case done <- struct{}{}:
			default:
			}
		})
	}
	return nil
}

// do does one job and notes how it ended.
func (s *Service) do(ctx context.Context, j store.ExportJob) {
	log := s.opts.Logger.With("export_id", j.ID, "session_id", j.SessionID, "kind", j.Kind)
	err := s.make(ctx, &j)
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	j.FinishedAt = s.opts.Now()
	switch {
	case err == nil:
		j.State, j.ExpiresAt = store.ExportDone, j.FinishedAt.Add(s.opts.Expiry)
	case errors.Is(err, errOver): // its result is another's, and stays
		return
	case ctx.Err() != nil: // cancelled, which is noted, or the gateway stops and goes on later
		if now, e := s.opts.DB.Exports.Get(finish, j.SessionID, j.ID); e == nil && now.State == store.ExportCancelled {
			err = s.removeFiles(j.ID)
		}
		if !errors.Is(err, context.Canceled) && err != nil {
			log.WarnContext(finish, "export's files not removed", "error", err)
		}
		return
	default:
		j.State = store.ExportFailed
		j.ErrorCode, j.Error = reasonOf(err)
		log.ErrorContext(finish, "export failed", "error", err)
		if err := s.removeFiles(j.ID); err != nil {
			log.WarnContext(finish, "export's files not removed", "error", err)
		}
	}
	entry := audit.Entry{
		Actor: audit.Actor{Kind: audit.KindSystem, Name: "export"}, Action: "recording_exported", Outcome: audit.Success, SessionID: j.SessionID,
		Object:  audit.Object{Kind: recordingField, ID: j.SessionID},
		Details: map[string]string{"export_id": j.ID, "kind": j.Kind, "for": j.UserName, "reason": j.Reason},
	}
	if j.State == store.ExportDone {
		entry.Details["sha256"] = j.SHA256
	} else {
		entry.Outcome, entry.Details["problem"] = audit.Failed, j.ErrorCode
	}
	if err := s.opts.Audit.Record(finish, entry); err != nil { // nobody gets what is not written down
		log.ErrorContext(finish, "export not in the audit log", "error", err)
		j.State, j.ErrorCode, j.Error, j.ExpiresAt = store.ExportFailed, "audit_unavailable", "The audit log cannot be written.", time.Time{}
	}
	if err := s.opts.DB.Exports.Finish(finish, j); err != nil {
		log.ErrorContext(finish, "export not finished", "error", err)
	}
}

// reasonOf says for people why a job failed.
func reasonOf(err error) (code, text string) {
	switch {
	case errors.Is(err, ErrNoFFmpeg):
		return "ffmpeg_missing", "The program ffmpeg is not installed on the gateway: time and events cannot be drawn, nor sizes be made one."
	case errors.Is(err, recording.ErrNoKey):
		return "recording_shredded", "The key of the recording does not exist any more."
	case errors.Is(err, recording.ErrEmpty):
		return "recording_empty", "The session ended before a picture was recorded."
	case errors.Is(err, recording.ErrNotSealed):
		return "recording_not_sealed", "The recording is not sealed yet."
	case errors.Is(err, recording.ErrNotFound):
		return "recording_not_found", "There is no such recording."
	}
	if found, ok := errors.AsType[*recording.VerifyError](err); ok {
		return "recording_altered", "The recording is not as it was sealed: " + found.Sentence() + "."
	}
	if c, ok := errors.AsType[*recording.CorruptError](err); ok {
		return "recording_corrupt", "The file " + c.File + " of this recording was damaged or altered."
	}
	return "export_failed", "It could not be made; the gateway's log tells why."
}

// make makes the result.
func (s *Service) make(ctx context.Context, j *store.ExportJob) error {
	if err := s.opts.DB.Exports.Running(ctx, j.ID, j.Progress); errors.Is(err, store.ErrNotFound) {
		return errOver
	} else if err != nil {
		return err
	}
	folder := filepath.Join(s.opts.Folder, j.ID)
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) { // with what an earlier life has done
		return err
	}
	rec, err := s.opts.Library.Open(ctx, j.SessionID)
	if err != nil {
		return err
	}
	defer rec.Close()
	progress := s.progress(ctx, j)
	if j.Kind == Package {
		err = s.writePackage(ctx, rec, j, work{folder}, resultName, progress)
	} else {
		err = s.writeFilm(ctx, rec, j, work{folder}, progress)
	}
	if err != nil {
		return err
	}
	j.Bytes, j.SHA256, err = measure(filepath.Join(folder, resultName))
	return err
}

// progress returns what notes how far a job is, not too often, and never less than an earlier life has noted.
func (s *Service) progress(ctx context.Context, j *store.ExportJob) func(part float64) {
	var last time.Time
	id, most := j.ID, j.Progress
	return func(part float64) {
		if now := time.Now(); now.Sub(last) >= noteEvery {
			last = now
			most = max(most, int(1000*min(max(part, 0), 0.999)))
			if err := s.opts.DB.Exports.Running(ctx, id, most); err != nil && ctx.Err() == nil {
				s.opts.Logger.WarnContext(ctx, "progress of an export not noted", "export_id", id, "error", err)
			}
		}
	}
}

// kept returns what logs that a job goes on where an earlier life of it ended.
func (s *Service) kept(ctx context.Context, j *store.ExportJob) func(what string, n, all int) {
	return func(what string, n, all int) {
		s.opts.Logger.InfoContext(ctx, "export goes on", "export_id", j.ID, "session_id", j.SessionID, "what", what, "kept", n, "of", all)
	}
}

func (s *Service) writeFilm(ctx context.Context, rec *recording.Recording, j *store.ExportJob, w work, progress func(float64)) error {
	f := film{work: w, rec: rec, ffmpeg: s.opts.FFmpeg, part: s.part, noteEach: s.bytes, progress: progress, kept: s.kept(ctx, j)}
	err := json.Unmarshal([]byte(j.Options), &f.Film)
	if err == nil && (f.BurnEvents || f.Subtitles) {
		f.texts, err = s.opts.Texts.Texts(ctx, rec)
	}
	if err == nil {
		f.session, err = rec.Session(ctx)
	}
	if err != nil {
		return err
	}
	return f.write(ctx)
}

func measure(name string) (size int64, sum string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return size, hex.EncodeToString(h.Sum(nil)), err
}

// packageNote is how far a package is.
const packageNote = "package.json" // recording.PackageWork

// writePackage verifies the recording first: what is not as it was sealed is no evidence.
func (s *Service) writePackage(ctx context.Context, rec *recording.Recording, j *store.ExportJob, w work, name string, progress func(float64)) error {
	var done recording.PackageWork
	goesOn := w.read(packageNote, &done) && len(done.Packed) > 0
	if goesOn {
		err := s.continuePackage(ctx, rec, j, w, name, &done, progress)
		if !errors.Is(err, recording.ErrPackageWork) {
			return err
		}
		s.opts.Logger.WarnContext(ctx, "export begins again", "export_id", j.ID, "session_id", j.SessionID, "error", err)
	}
	return s.continuePackage(ctx, rec, j, w, name, &recording.PackageWork{Made: s.opts.Now()}, progress)
}

// continuePackage goes on with a package, or begins an empty one.
func (s *Service) continuePackage(ctx context.Context, rec *recording.Recording, j *store.ExportJob, w work, name string, done *recording.PackageWork,
	progress func(float64),
) (err error) {
	var files []recording.PackageFile
	begins := len(done.Packed) == 0
	if begins {
		if files, err = s.Beside(ctx, rec, j.SessionID, j.UserName, j.Reason); err != nil {
			return err
		}
	}
	file, err := openKept(w.path(name), done.End())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	p, err := rec.NewPackageWriter(file, done)
	if err != nil {
		return err
	}
	if begins {
		err = p.Begin(files, s.opts.Signing)
	} else {
		s.kept(ctx, j)("files", len(done.Packed), rec.Files())
	}
	if err != nil {
		return err
	}
	total, noted := max(rec.Bytes(), 1), done.End()
	p.After = func(n int64) error {
		progress(float64(n) / float64(total))
		if done.End()-noted < s.bytes {
			return nil
		}
		noted = done.End()
		if err := file.Sync(); err != nil {
			return err
		}
		return w.note(packageNote, done)
	}
	if err := p.Write(ctx); err != nil {
		return err
	}
	return errors.Join(file.Sync(), w.remove(packageNote))
}

// WritePackage makes an evidence package at once, for the command line, as a new file of that name.
func (s *Service) WritePackage(ctx context.Context, w Wish, name string) error {
	rec, err := s.opts.Library.Open(ctx, w.SessionID)
	if err != nil {
		return err
	}
	defer rec.Close()
	folder, name := filepath.Split(name)
	return s.writePackage(ctx, rec, &store.ExportJob{SessionID: w.SessionID, UserName: w.UserName, Reason: w.Reason}, work{folder}, name, func(float64) {})
}

// Beside makes what stands beside a recording in its package, after it was verified.
func (s *Service) Beside(ctx context.Context, rec *recording.Recording, session, by, reason string) ([]recording.PackageFile, error) {
	if !rec.Sealed() {
		return nil, recording.ErrNotSealed
	}
	r := report{MadeAt: s.opts.Now(), MadeBy: by, Reason: reason, Manifest: rec.Manifest()}
	trust, err := s.opts.Signing.Trust()
	if err != nil {
		return nil, err
	}
	if r.Info, err = rec.Session(ctx); err != nil { // first of all: one whose key is shredded is no package
		return nil, err
	}
	if r.Verified, err = rec.Verify(ctx, trust); err != nil {
		return nil, err
	}
	if r.Hash, err = manifestHash(ctx, rec); err != nil {
		return nil, err
	}
	if r.Session, err = s.opts.DB.Sessions.Get(ctx, session); err != nil {
		return nil, err
	}
	if r.Custody, err = s.opts.DB.Custodies.Get(ctx, session); err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if err := r.approval(ctx, s.opts.DB, session); err != nil {
		return nil, err
	}
	if r.Acts, err = acts(ctx, s.opts.DB, session); err != nil {
		return nil, err
	}
	texts, err := s.opts.Texts.Texts(ctx, rec)
	if err != nil {
		return nil, err
	}
	if err := r.gather(ctx, rec, texts); err != nil {
		return nil, err
	}
	page, err := r.html()
	if err != nil {
		return nil, err
	}
	keys, err := s.opts.PublicKeys()
	if err != nil {
		return nil, err
	}
	return []recording.PackageFile{{Name: "README.txt", Content: packageReadme}, {Name: "report.html", Content: page}, {Name: "public-keys.txt", Content: keys}}, nil
}

// approval finds the grant a session was begun on, and the request it follows from.
func (r *report) approval(ctx context.Context, db *store.Store, session string) error {
	g, err := db.AccessGrants.OfSession(ctx, session)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r.Grant = &g
	if g.RequestID == "" {
		return nil
	}
	q, err := db.AccessRequests.Get(ctx, g.RequestID)
	if err == nil {
		r.Request = &q
	}
	return err
}

// clean removes what is over.
func (s *Service) clean(ctx context.Context) error {
	if err := s.opts.DB.Exports.Expire(ctx, "", s.opts.Now()); err != nil {
		return err
	}
	list, err := os.ReadDir(s.opts.Folder)
	if err != nil {
		return err
	}
	var ids []string
	for _, e := range list {
		ids = append(ids, e.Name())
	}
	kept, err := s.opts.DB.Exports.Kept(ctx, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		s.mu.Lock()
		_, busy := s.running[id]
		s.mu.Unlock()
		if !kept[id] && !busy {
			err = errors.Join(err, s.removeFiles(id))
		}
	}
	return err
}

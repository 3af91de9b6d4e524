package serve

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/vitrine-psm/vitrine/internal/access"
	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/ocr"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/worker"
	"github.com/vitrine-psm/vitrine/internal/worker/sandbox"
)

// manager is worker.Manager in the words of the API.
type manager struct {
	*worker.Manager
	text   *ocr.Service         // nil: no text on screens is read
	asking config.Justification // about rules that want to know why
}

var _ workers = manager{}

// newManager makes the workers' manager as the configuration says.
func newManager(cfg *config.Config, _ string, log *slog.Logger, o *observer) (workers, error) {
	var bind netip.Addr
	if cfg.Media.Bind != "" {
		var err error
		if bind, err = netip.ParseAddr(cfg.Media.Bind); err != nil {
			return nil, fmt.Errorf("serve: media.bind: %w", err)
		}
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		return nil, fmt.Errorf("serve: log.level: %w", err)
	}
	text, err := openOCR(&cfg.OCR, sandbox.Mode(cfg.Sandbox), log)
	if err != nil {
		return nil, err
	}
	var screens worker.ScreenReader
	if text != nil {
		screens = text
	}
	m, err := worker.NewManager(worker.ManagerConfig{
		Screens: screens, ScreenInterval: cfg.OCR.Interval,
		SpoolRoot: cfg.SpoolDir,
		Ports:     worker.PortRange{First: cfg.Media.UDPPorts.First, Last: cfg.Media.UDPPorts.Last},
		Bind:      bind, MediaTCP: cfg.Media.TCP, PublicAddresses: cfg.Media.PublicAddresses,
		FrameRate: cfg.Encoding.FrameRate, MaxBitrate: int(min(cfg.Encoding.MaxBitrate, math.MaxInt32)),
		Keys: recording.KeyMode(cfg.Recording.Keys), MinFree: uint64(cfg.Recording.MinFree), MaxSpool: uint64(cfg.Recording.MaxSpool),
		OrphanTimeout: cfg.Session.OrphanTimeout, ConnectTimeout: cfg.Session.ConnectTimeout, Reconnect: cfg.Session.Reconnect,
		Sandbox: sandbox.Mode(cfg.Sandbox), LogLevel: level, Observer: workerObserver{o}, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	return manager{m, text, cfg.Detection.Justification}, nil
}

func (m manager) Create(ctx context.Context, id string, n api.NewSession, c target.Credential, rules []byte) (live, error) {
	if n.Admission.Obligations.OCR {
		if err := ocrReady(ctx, m.text); err != nil {
			return live{}, err
		}
	}
	s, err := m.Manager.Create(ctx, worker.CreateRequest{
		SessionID: id, Person: person(n.Subject), Target: n.Target, Credential: c,
		ClientAddress: n.ClientAddress, Size: image.Pt(n.Width, n.Height),
		Keys: leastKeys(recording.KeyMode(n.Target.Keys), recording.KeyMode(n.Admission.Obligations.Keys)), IdleLimit: n.Admission.Obligations.IdleLimit, EndWarning: n.EndWarning,
		Watermark: n.Admission.Obligations.Watermark, ReadScreen: n.Admission.Obligations.OCR, Detection: rules,
		AnswerLimit: m.asking.Timeout, Unanswered: session.Unanswered(m.asking.Unanswered),
	})
	if err != nil {
		return live{}, refusal(err)
	}
	return liveOf(s.Snapshot()), nil
}

// leastKeys returns the mode that records the least, of those that are set: what a target is set to and what policy obliges to
// both hold.
func leastKeys(modes ...recording.KeyMode) recording.KeyMode {
	order := []recording.KeyMode{"", recording.KeysFull, recording.KeysCommands, recording.KeysNone}
	return slices.MaxFunc(modes, func(a, b recording.KeyMode) int { return slices.Index(order, a) - slices.Index(order, b) })
}

func (m manager) Get(id string) (live, bool) {
	s, err := m.Manager.Get(id)
	if err != nil {
		return live{}, false
	}
	return liveOf(s.Snapshot()), true
}

// with calls fn with the running session of that id.
func (m manager) with(id string, fn func(*worker.Session) error) error {
	s, err := m.Manager.Get(id)
	if err == nil {
		err = fn(s)
	}
	return refusal(err)
}

func (m manager) Offer(ctx context.Context, id string, o api.Offer) (api.Answer, error) {
	var out api.Answer
	return out, m.with(id, func(s *worker.Session) error {
		a, err := s.Offer(ctx, worker.Offer{Person: person(o.Subject), Role: session.Role(o.Role), ClientAddress: o.ClientAddress, SDP: o.SDP, Announced: o.Announced})
		out = api.Answer{Viewer: a.ViewerID, SDP: a.SDP}
		return err
	})
}

func (m manager) AddCandidates(ctx context.Context, id, viewer, fragment string) error {
	return m.with(id, func(s *worker.Session) error { return s.AddCandidates(ctx, viewer, fragment) })
}

func (m manager) CloseViewer(ctx context.Context, id, viewer string) error {
	return m.with(id, func(s *worker.Session) error { return s.CloseViewer(ctx, viewer, "") })
}

func (m manager) Terminate(ctx context.Context, id string, by policy.Subject, code, message string) error {
	return m.with(id, func(s *worker.Session) error {
		return s.Terminate(ctx, person(by), session.End{Code: session.EndCode(code), Message: message})
	})
}

func (m manager) Announce(ctx context.Context, id string, e access.Ending) error {
	return m.with(id, func(s *worker.Session) error {
		return s.Announce(ctx, session.Ending{End: session.End{Code: session.EndCode(e.Code), Message: e.Message}, Deadline: e.Deadline})
	})
}

func (m manager) Permit(ctx context.Context, id string, c access.Clipboard) error {
	return m.with(id, func(s *worker.Session) error { return s.Permit(ctx, c.ToTarget, c.FromTarget) })
}

func (m manager) SetRules(ctx context.Context, id string, rules []byte) error {
	return m.with(id, func(s *worker.Session) error { return s.SetRules(ctx, rules) })
}

func person(s policy.Subject) session.Person { return session.Person{ID: s.ID, Name: s.Name} }

func liveOf(s worker.Snapshot) live {
	l := live{
		MediaPort: s.MediaPort,
		State:     string(s.State), Width: s.Size.X, Height: s.Size.Y, DesktopName: s.DesktopName, Viewers: []api.Viewer{},
		FrameRate: float64(s.Stats.FrameRate), Bitrate: float64(s.Stats.Bitrate),
		Frames: s.Stats.Frames, Bytes: s.Stats.Bytes, RecordedBytes: int64(min(s.Stats.RecordedBytes, math.MaxInt64)), Encoders: s.Encoders,
	}
	for _, v := range s.Viewers {
		l.Viewers = append(l.Viewers, api.Viewer{
			ID: v.ID, PersonID: v.Person.ID, PersonName: v.Person.Name, Role: string(v.Role), Address: v.Address, Announced: v.Announced,
			Native: v.Kind == session.KindNative,
		})
	}
	if f := s.Frozen; f != nil {
		l.Frozen = &api.Frozen{ByID: f.By.ID, ByName: f.By.Name, Code: string(f.End.Code), Reason: f.End.Message, Since: f.Since}
	}
	if q := s.Question; q != nil {
		l.Question = &api.Question{
			ID: q.ID, PersonID: q.Person.ID, PersonName: q.Person.Name, Viewer: q.Viewer, Source: string(q.Source), Held: q.Held, Since: q.Since,
			Until: q.Deadline,
		}
		for _, r := range q.Rules {
			l.Question.Rules = append(l.Question.Rules, api.AskedRule(r))
		}
	}
	if c := s.Control; c.Viewer != "" {
		l.Control = &api.TakenOver{Viewer: c.Viewer, PersonID: c.Person.ID, PersonName: c.Person.Name, Since: c.Since}
	}
	return l
}

// workerObserver passes on what the workers' manager tells.
type workerObserver struct{ to *observer }

func (o workerObserver) SessionChanged(s worker.Snapshot) {
	if s.State == session.StateEnded { // SessionEnded follows, with the reason
		return
	}
	o.to.changed(s.ID, store.Progress{State: string(s.State), Width: s.Size.X, Height: s.Size.Y, DesktopName: s.DesktopName})
}

func (o workerObserver) CertificateTrusted(id, fingerprint string) { o.to.certificate(id, fingerprint) }

func (o workerObserver) AlertRaised(id string, a worker.Alert) {
	if o.to.alert != nil {
		o.to.alert(id, a)
	}
}

func (o workerObserver) Justified(id string, j worker.Justification) {
	if o.to.justified != nil {
		o.to.justified(id, j)
	}
}

func (o workerObserver) FileClosed(id, name string) { o.to.fileClosed(id, name) }

func (o workerObserver) SessionEnded(id string, end session.End) {
	o.to.ended(id, string(end.Code), end.Message)
}

// startStatuses are the HTTP statuses of sessions that could not be started. Whatever is not here is the gateway's fault.
var startStatuses = map[session.EndCode]int{
	session.EndTargetUnreachable:   http.StatusBadGateway,
	session.EndTargetWrongProtocol: http.StatusBadGateway,
	session.EndTargetSecurity:      http.StatusBadGateway,
	session.EndTargetCertificate:   http.StatusBadGateway,
	session.EndTargetAuthFailed:    http.StatusBadGateway,
	session.EndTargetProtocolError: http.StatusBadGateway,
	session.EndTargetClosed:        http.StatusBadGateway,
	session.EndTargetEnded:         http.StatusBadGateway,
	session.EndTargetTimeout:       http.StatusGatewayTimeout,
	session.EndNoPort:              http.StatusServiceUnavailable,
	session.EndShutdown:            http.StatusServiceUnavailable,
	session.EndConnectCancelled:    http.StatusServiceUnavailable,
	session.EndSandbox:             http.StatusServiceUnavailable,
	session.EndRecordingFailed:     http.StatusServiceUnavailable,
	session.EndSpoolFull:           http.StatusInsufficientStorage,
	session.EndUserDisconnected:    http.StatusConflict, // somebody ended it while it was starting
	session.EndTerminated:          http.StatusConflict,
}

// refusal says what a caller sees of an error of the workers' manager.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*worker.EndError](err); ok {
		status, known := startStatuses[e.Code]
		if !known {
			status = http.StatusInternalServerError
		}
		return &api.Error{Status: status, Code: string(e.Code), Detail: e.Message, Err: err}
	}
	if e, ok := errors.AsType[*worker.RefusedError](err); ok {
		status, known := refusedStatuses[e.Code]
		if !known {
			status = http.StatusConflict
		}
		return &api.Error{Status: status, Code: e.Code, Detail: e.Message, Err: err}
	}
	for _, known := range []struct {
		is     error
		status int
		code   string
		detail string
	}{
		{worker.ErrNotFound, http.StatusConflict, "session_ended", "The session has ended."},
		{worker.ErrEnded, http.StatusConflict, "session_ended", "The session has ended."},
		{worker.ErrShutdown, http.StatusServiceUnavailable, "shutdown", "The gateway is stopping."},
		{worker.ErrOffer, http.StatusUnprocessableEntity, "offer_malformed", "The WebRTC offer cannot be answered."},
		{worker.ErrFragment, http.StatusUnprocessableEntity, "fragment_malformed", "The ICE candidates cannot be read."},
		{worker.ErrTooManyViewers, http.StatusServiceUnavailable, "too_many_viewers", "The session has as many viewers as it takes."},
		{worker.ErrControlTaken, http.StatusConflict, "control_taken", "Another person has control of the session."},
		{worker.ErrUnknownViewer, http.StatusNotFound, "viewer_not_found", "The session has no such viewer."},
	} {
		if errors.Is(err, known.is) {
			detail := known.detail
			if _, what, ok := strings.Cut(err.Error(), known.is.Error()+": "); ok && known.status == http.StatusUnprocessableEntity {
				detail += " (" + what + ")"
			}
			return &api.Error{Status: known.status, Code: known.code, Detail: detail, Err: err}
		}
	}
	return err
}

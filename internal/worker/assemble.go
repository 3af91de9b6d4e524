package worker

import (
	"context"
	"errors"
	"fmt"
	"image"
	"net"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdpserver"
	"github.com/vitrine-psm/vitrine/proxy/stream"
	"github.com/vitrine-psm/vitrine/proxy/thumbnail"
	"github.com/vitrine-psm/vitrine/proxy/watermark"
	"github.com/vitrine-psm/vitrine/proxy/webrtcserver"
)

// assembly is a session put together from the real parts.
type assembly struct {
	session  *session.Session
	recorder *recording.Recorder
	doors    doors
	target   net.Conn

	thumbnails *thumbnail.Renderer
	screen     *screen               // nil: it is not read
	watermark  func(context.Context) // brings it up to the minute until the context ends; nil: there is none
}

// startSize is the size of the picture until the target has told its own.
var startSize = image.Pt(1024, 768)

// assemble makes the parts and joins them. It opens and reads all that will ever be needed, for after it the process is
// locked in. The recording is open when it returns; when it fails what was opened of it is sealed.
func assemble(o Options, in *inherited, req *workerpb.StartRequest, f *feed) (*assembly, error) {
	if p := req.GetTarget().GetProtocol(); !slices.Contains(protocols, p) {
		return nil, fmt.Errorf("worker: protocol %q of the target is not known", p)
	}
	if n := len(req.GetPublicAddresses()); n > maxPublicAddresses {
		return nil, fmt.Errorf("worker: %d public addresses exceed %d", n, maxPublicAddresses)
	}
	origin := time.Now() // 0 on the session's clock, for hub and recorder alike
	fb, err := desktop.NewFramebuffer(startSize)
	if err != nil {
		return nil, err
	}
	hub, err := stream.NewHub(stream.HubConfig{
		Framebuffer: fb, Logger: o.Logger, Origin: origin,
		FPSCap: int(req.GetEncoding().GetFrameRate()), MaxBitrate: int(req.GetEncoding().GetMaxBitrate()),
	})
	if err != nil {
		return nil, err
	}
	thumbnails := thumbnail.New(fb)
	recorder, err := newRecorder(o, req, hub, thumbnails, origin, f)
	if err != nil {
		return nil, err
	}
	a, err := join(o, in, req, fb, hub, recorder, origin, f)
	if err == nil {
		a.thumbnails = thumbnails
	}
	if err != nil {
		end := startEnd(err)
		return nil, errors.Join(err, recorder.Seal(recording.EndReason{Code: string(end.Code), Message: end.Message}))
	}
	return a, nil
}

func newRecorder(o Options, req *workerpb.StartRequest, hub *stream.Hub, thumbnails *thumbnail.Renderer, origin time.Time, f *feed) (*recording.Recorder, error) {
	target := req.GetTarget()
	return recording.NewRecorder(o.Spool, recording.SessionInfo{
		SessionID: req.GetSessionId(), StartedAt: origin, ClientAddress: req.GetClientAddress(), Recorder: "vitrine " + o.Version,
		User:   recording.Person{ID: req.GetUser().GetId(), Name: req.GetUser().GetName()},
		Target: recording.Target{ID: target.GetId(), Name: target.GetName(), Protocol: target.GetProtocol(), Address: target.GetAddress()},
	}, recording.Options{
		Keys:         recording.KeyMode(req.GetRecording().GetKeys()),
		MinFreeBytes: req.GetRecording().GetMinFreeBytes(), MaxSpoolBytes: req.GetRecording().GetMaxSpoolBytes(),
		RequestIDR: hub.RequestIDR, OnClosed: f.fileClosed, Logger: o.Logger, Thumbnail: recorded(thumbnails, o.Logger),
	})
}

// join makes the target and the browser's door and joins everything to a session.
func join(o Options, in *inherited, req *workerpb.StartRequest, fb *desktop.Framebuffer, hub *stream.Hub,
	recorder *recording.Recorder, origin time.Time, f *feed,
) (*assembly, error) {
	target := req.GetTarget()
	watched, err := detection(req, origin, f)
	if err != nil {
		return nil, err
	}
	read := newScreen(req, fb, origin)
	s, err := session.New(session.Config{
		Framebuffer: fb, Hub: hub, Recorder: recorder, Observer: f, Logger: o.Logger,
		Policy: session.Policy{
			ViewOnly: target.GetViewOnly(), ClipboardToTarget: target.GetClipboardToTarget(), ClipboardFromTarget: target.GetClipboardFromTarget(),
		},
		Owner:         session.Person{ID: req.GetUser().GetId(), Name: req.GetUser().GetName()},
		OrphanTimeout: time.Duration(req.GetOrphanTimeoutSeconds()) * time.Second,
		IdleLimit:     time.Duration(req.GetLimits().GetIdleSeconds()) * time.Second,
		IdleWarning:   time.Duration(req.GetLimits().GetWarningSeconds()) * time.Second,
		Size:          image.Pt(int(req.GetWidth()), int(req.GetHeight())),
		Detection:     watched,
		Last:          read.last,
	})
	if err != nil {
		return nil, err
	}
	source, err := newSource(sourceConfig{
		target: target, observer: s, log: o.Logger, size: image.Pt(int(req.GetWidth()), int(req.GetHeight())),
		firstUse: f.certificateShown, dial: in.dial,
	})
	if err != nil {
		return nil, err
	}
	_, resizable := source.(desktop.Resizer)
	handler := &doorHandler{s: s}
	door, err := webrtcserver.New(webrtcserver.Config{
		Conn: in.media, TCPListener: in.mediaTCP, PublicAddresses: req.GetPublicAddresses(), Logger: o.Logger.With("component", "webrtc"),
		Video: hub, Screen: fb, Handler: handler, Session: req.GetSessionId(), Owner: req.GetUser().GetId(), Resizable: resizable && !target.GetViewOnly(),
		Figures: func() webrtcserver.Figures {
			stats := hub.Stats()
			return webrtcserver.Figures{FrameRate: float64(stats.FPS), KilobitRate: float64(stats.BitsPerSecond) / 1000}
		},
		OnEstimate: hub.SetTarget,
	})
	if err != nil {
		return nil, err
	}
	all := doors{browser: browserDoor{door}}
	all.native, err = rdpserver.NewServer(rdpserver.ServerConfig{
		Framebuffer: fb, Video: hub, Handler: nativeHandler{s, door}, Logger: o.Logger.With("component", "native"),
		Resizable: resizable && !target.GetViewOnly(), Owner: req.GetUser().GetId(),
	})
	if err != nil {
		return nil, err
	}
	handler.native = all.native
	s.Attach(source, all)
	a := &assembly{session: s, recorder: recorder, doors: all, target: in.target, screen: read}
	if req.GetWatermark() {
		mark, err := watermark.New(fb, req.GetUser().GetName(), req.GetSessionId())
		if err != nil {
			return nil, err
		}
		a.watermark = func(ctx context.Context) {
			if err := mark.Run(ctx, fb); err != nil {
				o.Logger.Error("watermark not brought up to date", "error", err)
			}
		}
	}
	return a, nil
}

// startEnd is the reason of a session that could not be put together.
func startEnd(err error) session.End {
	switch _, disk := errors.AsType[*recording.SpoolError](err); {
	case errors.Is(err, recording.ErrSpoolFull):
		return session.NewEnd(session.EndSpoolFull, "")
	case disk:
		return session.NewEnd(session.EndRecordingFailed, "")
	}
	return session.NewEnd(session.EndInternal, "")
}

package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"image"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdpserver"
	"github.com/vitrine-psm/vitrine/proxy/webrtcserver"
)

// The native socket: serve sends one datagram for each connection of a native client, a token of tokenBytes with the connected
// socket beside it (SCM_RIGHTS). OpenNative then says, by the token, whose it is. Nothing is answered here.

const (
	tokenBytes = 16
	// maxWaiting bounds the connections whose OpenNative has not come; the oldest is closed.
	maxWaiting = 8
	// nativeTimeout is how long OpenNative waits for its connection, which was sent before.
	nativeTimeout = 5 * time.Second
)

type token [tokenBytes]byte

// natives holds connections that have come and wait for their OpenNative.
type natives struct {
	conn *net.UnixConn

	mu      sync.Mutex
	order   []token
	waiting map[token]net.Conn
	came    chan struct{} // closed, and replaced, when one has come
	closed  bool
}

func newNatives(conn *net.UnixConn) *natives {
	return &natives{conn: conn, waiting: map[token]net.Conn{}, came: make(chan struct{})}
}

// run takes connections until the socket ends or ctx does. It closes those nobody asked for.
func (n *natives) run(ctx context.Context) {
	defer n.close()
	defer context.AfterFunc(ctx, func() { n.conn.Close() })()
	for {
		var b [tokenBytes + 1]byte
		oob := make([]byte, unix.CmsgSpace(4)) // one descriptor
		count, oobn, flags, _, err := n.conn.ReadMsgUnix(b[:], oob)
		if err != nil || count == 0 && oobn == 0 { // the end of a SEQPACKET socket
			return
		}
		conn, err := passedConn(oob[:oobn])
		if err != nil || conn == nil {
			continue
		}
		if count != tokenBytes || flags&unix.MSG_CTRUNC != 0 {
			conn.Close()
			continue
		}
		n.add(token(b[:tokenBytes]), conn)
	}
}

func (n *natives) add(t token, conn net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || n.waiting[t] != nil {
		conn.Close()
		return
	}
	if len(n.order) == maxWaiting {
		n.waiting[n.order[0]].Close()
		delete(n.waiting, n.order[0])
		n.order = n.order[1:]
	}
	n.order, n.waiting[t] = append(n.order, t), conn
	close(n.came)
	n.came = make(chan struct{})
}

func (n *natives) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for _, conn := range n.waiting {
		conn.Close()
	}
	clear(n.waiting)
}

// take returns the connection of a token, once it has come.
func (n *natives) take(ctx context.Context, t token) (net.Conn, error) {
	for {
		n.mu.Lock()
		conn, came := n.waiting[t], n.came
		if conn != nil {
			delete(n.waiting, t)
			for i := range n.order {
				if n.order[i] == t {
					n.order = append(n.order[:i], n.order[i+1:]...)
					break
				}
			}
		}
		n.mu.Unlock()
		if conn != nil {
			return conn, nil
		}
		select {
		case <-came:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

var errNoNative = errors.New("worker: no connection came over the native socket")

// OpenNative implements workerpb.WorkerServer.
func (c *control) OpenNative(ctx context.Context, req *workerpb.OpenNativeRequest) (*workerpb.OpenNativeResponse, error) {
	a, err := c.running()
	if err != nil {
		return nil, err
	}
	if c.natives == nil || len(req.GetToken()) != tokenBytes {
		return nil, status.Error(codes.InvalidArgument, "no native socket, or no token")
	}
	state, err := rdpserver.UnmarshalState(req.GetState())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	limited, cancel := context.WithTimeoutCause(ctx, nativeTimeout, errNoNative)
	defer cancel()
	conn, err := c.natives.take(limited, token(req.GetToken()))
	if err != nil {
		return nil, status.Error(codes.DeadlineExceeded, err.Error())
	}
	v := rdpserver.Viewer{
		ID: rand.Text(), Person: rdpserver.Person{ID: req.GetPerson().GetId(), Name: req.GetPerson().GetName()},
		Role: rdpserver.Role(req.GetRole()), Address: req.GetClientAddress(), Announced: req.GetAnnounced(),
	}
	if err := a.doors.admit(ctx, rdpserver.Arrival{Viewer: v, Conn: conn, State: state}); err != nil {
		return nil, doorFailure(err)
	}
	return &workerpb.OpenNativeResponse{ViewerId: v.ID}, nil
}

// NativeOffer is a native client that serve has accepted and let in.
type NativeOffer struct {
	Person        session.Person
	Role          session.Role
	ClientAddress string
	// Announced says that the session's own person is to know that this one watches.
	Announced bool
	State     rdpserver.State
	// Conn carries what is inside the client's TLS: the other end of a socket whose one end serve copies to and from. It stays the
	// caller's, who closes it: the worker gets a copy.
	Conn *os.File
}

// OpenNative hands a native client to the session. It returns the viewer's id, or an error wrapping ErrTooManyViewers,
// ErrControlTaken or ErrEnded, of which the client is told by the worker as far as it got the connection.
func (s *Session) OpenNative(ctx context.Context, o NativeOffer) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	state, err := o.State.Marshal()
	if err != nil {
		return "", err
	}
	var t token
	_, _ = rand.Read(t[:]) // never fails
	raw, err := o.Conn.SyscallConn()
	if err != nil {
		return "", fmt.Errorf("worker: native connection: %w", err)
	}
	var sent error
	if err := raw.Control(func(fd uintptr) {
		_, _, sent = s.process.native.WriteMsgUnix(t[:], unix.UnixRights(int(fd)), nil)
	}); err != nil {
		return "", fmt.Errorf("worker: native connection: %w", err)
	}
	if sent != nil {
		return "", fmt.Errorf("%w: native socket: %w", ErrEnded, sent)
	}
	r, err := s.client.OpenNative(ctx, &workerpb.OpenNativeRequest{
		Token: t[:], State: state, Person: &workerpb.Person{Id: o.Person.ID, Name: o.Person.Name}, Role: string(o.Role), ClientAddress: o.ClientAddress,
		Announced: o.Announced,
	})
	if err != nil {
		return "", s.callError(err, ErrOffer)
	}
	return r.GetViewerId(), nil
}

// nativeHandler is a session as a rdpserver.Server sees it.
type nativeHandler struct {
	s       *session.Session
	browser *webrtcserver.Server
}

var _ rdpserver.ServerHandler = nativeHandler{}

// Input implements rdpserver.ServerHandler. The session bounds how long it waits.
func (h nativeHandler) Input(v rdpserver.Viewer, in desktop.Input) error {
	return h.s.Input(context.Background(), nativeViewer(v), in)
}

// Resize implements rdpserver.ServerHandler.
func (h nativeHandler) Resize(v rdpserver.Viewer, size image.Point) error {
	return h.s.Resize(context.Background(), nativeViewer(v), size)
}

// ViewerJoined implements rdpserver.ServerHandler. Who takes control here has it from whoever came by the other door.
func (h nativeHandler) ViewerJoined(v rdpserver.Viewer) {
	if v.Role == rdpserver.RoleControl {
		h.browser.Yield("Control was taken over in a native client.")
	}
	h.s.ViewerJoined(nativeViewer(v))
}

// ViewerLeft implements rdpserver.ServerHandler.
func (h nativeHandler) ViewerLeft(v rdpserver.Viewer, reason string) {
	h.s.ViewerLeft(nativeViewer(v), reason)
}

// RoleChanged implements rdpserver.ServerHandler.
func (h nativeHandler) RoleChanged(v rdpserver.Viewer) { h.s.RoleChanged(nativeViewer(v)) }

// Acknowledged implements rdpserver.ServerHandler.
func (h nativeHandler) Acknowledged(v rdpserver.Viewer, message string) {
	h.s.Acknowledge(nativeViewer(v), message)
}

// Answered implements rdpserver.ServerHandler.
func (h nativeHandler) Answered(v rdpserver.Viewer, question, reason string, refuse bool) error {
	_, err := h.s.Answer(context.Background(), session.Reply{
		Question: question, Viewer: v.ID, By: session.Person(v.Person), Reason: reason, Refuse: refuse,
	})
	return err
}

// Refused implements rdpserver.ServerHandler.
func (h nativeHandler) Refused(v rdpserver.Viewer, what, why string) {
	h.s.Refused(nativeViewer(v), what, why)
}

func nativeViewer(v rdpserver.Viewer) session.Viewer {
	role := session.RoleView
	if v.Role == rdpserver.RoleControl {
		role = session.RoleControl
	}
	return session.Viewer{ID: v.ID, Person: session.Person(v.Person), Role: role, Address: v.Address, Announced: v.Announced, Kind: session.KindNative}
}

// endReasons are RDP's words for the ends of sessions.
var endReasons = map[session.EndCode]rdp.ErrorInfo{
	session.EndIdle:              rdp.ErrorInfoIdleTimeout,
	session.EndMaxDuration:       rdp.ErrorInfoLogonTimeout,
	session.EndWindowClosed:      rdp.ErrorInfoLogonTimeout,
	session.EndPolicyRevoked:     rdp.ErrorInfoServerDenied,
	session.EndUserDisabled:      rdp.ErrorInfoServerDenied,
	session.EndPolicyUnavailable: rdp.ErrorInfoServerDenied,
	session.EndTerminated:        rdp.ErrorInfoDisconnectByAdmin,
	session.EndUserDisconnected:  rdp.ErrorInfoLogoffByUser,
	session.EndTargetClosed:      rdp.ErrorInfoLogoffByUser,
	session.EndTargetEnded:       rdp.ErrorInfoLogoffByUser,
}

// endReason is RDP's word for the end of a session. Whatever else ends one, the gateway does.
func endReason(code session.EndCode) rdp.ErrorInfo {
	if reason, ok := endReasons[code]; ok {
		return reason
	}
	return rdp.ErrorInfoLogoffByAdmin
}

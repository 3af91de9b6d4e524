package serve

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/worker"
)

// TestRefusal: what the workers' manager refuses has a status, a code and a sentence, and never the text for the log.
func TestRefusal(t *testing.T) {
	require.NoError(t, refusal(nil))
	other := errors.New("not known")
	require.Equal(t, other, refusal(other), "what is not known is a fault of ours")
	inner := errors.New("dial tcp 10.0.0.1:5900: refused")
	for _, c := range []struct {
		err    error
		status int
		code   string
		detail string
	}{
		{&worker.EndError{End: session.NewEnd(session.EndTargetUnreachable, ""), Err: inner}, http.StatusBadGateway, "target_unreachable", "The desktop cannot be reached."},
		{&worker.EndError{End: session.NewEnd(session.EndTargetAuthFailed, ""), Err: inner}, http.StatusBadGateway, "target_auth_failed", "The desktop refused the credentials."},
		{&worker.EndError{End: session.NewEnd(session.EndTargetTimeout, ""), Err: inner}, http.StatusGatewayTimeout, "target_timeout", "The desktop did not answer in time."},
		{&worker.EndError{End: session.NewEnd(session.EndSpoolFull, "")}, http.StatusInsufficientStorage, "spool_full", "There is no room left to record the session."},
		{&worker.EndError{End: session.NewEnd(session.EndNoPort, "")}, http.StatusServiceUnavailable, "no_media_port", "The gateway has no free media port."},
		{&worker.EndError{End: session.End{Code: "unheard_of", Message: "What?"}}, http.StatusInternalServerError, "unheard_of", "What?"},
		{worker.ErrNotFound, http.StatusConflict, "session_ended", "The session has ended."},
		{fmt.Errorf("%w: secret pipe", worker.ErrEnded), http.StatusConflict, "session_ended", "The session has ended."},
		{worker.ErrShutdown, http.StatusServiceUnavailable, "shutdown", "The gateway is stopping."},
		{fmt.Errorf("%w: no video", worker.ErrOffer), http.StatusUnprocessableEntity, "offer_malformed", "The WebRTC offer cannot be answered. (no video)"},
		{worker.ErrFragment, http.StatusUnprocessableEntity, "fragment_malformed", "The ICE candidates cannot be read."},
		{fmt.Errorf("%w: 16", worker.ErrTooManyViewers), http.StatusServiceUnavailable, "too_many_viewers", "The session has as many viewers as it takes."},
		{worker.ErrControlTaken, http.StatusConflict, "control_taken", "Another person has control of the session."},
		{worker.ErrUnknownViewer, http.StatusNotFound, "viewer_not_found", "The session has no such viewer."},
	} {
		got, ok := errors.AsType[*api.Error](refusal(c.err))
		require.True(t, ok, "%v", c.err)
		require.Equal(t, []any{c.status, c.code, c.detail}, []any{got.Status, got.Code, got.Detail}, "%v", c.err)
		require.ErrorIs(t, got, c.err)
	}
}

package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Relay lets browsers in that do not reach the media's ports.
type Relay interface {
	// Credential lets one person's browser reach one session, for a short time.
	Credential(session, person string) RelayCredential
	// Only tells whether browsers are to come by the relay alone.
	Only() bool
}

// RelayCredential is what a browser needs to use the relay. The password must not be logged.
type RelayCredential struct {
	URLs               []string // as in RFC 7065
	Username, Password string
}

// ListICEServers answers with what the caller's browser needs to reach the session.
func (h *handlers) ListICEServers(ctx context.Context, r apigen.ListICEServersRequestObject) (apigen.ListICEServersResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.watchable(ctx, in, r.SessionParameter)
	if err != nil {
		return nil, err
	}
	out := apigen.ListICEServers200JSONResponse{IceServers: []apigen.ICEServer{}, IceTransportPolicy: apigen.ICEServersIceTransportPolicyAll}
	if h.relay != nil && h.relay.Only() {
		out.IceTransportPolicy = apigen.ICEServersIceTransportPolicyRelay
	}
	for _, c := range h.relaysFor(in, &s) {
		out.IceServers = append(out.IceServers, apigen.ICEServer{Urls: c.URLs, Username: c.Username, Credential: c.Password})
	}
	return out, nil
}

// relaysFor returns a credential for the caller, if there is a relay and the session runs. Whether the caller may see the session was
// checked before.
func (h *handlers) relaysFor(in *call, s *Session) []RelayCredential {
	if h.relay == nil || s.State == store.StateEnded {
		return nil
	}
	return []RelayCredential{h.relay.Credential(s.ID, in.subject.ID)}
}

// viewerOptions tells a WHEP player what it can send and by which relays it may come, before it makes its offer.
func (s *Server) viewerOptions(c *gin.Context) {
	ctx, in := enter(c)
	session, err := s.watchable(ctx, in, c.Param("session"))
	if err != nil {
		fail(c, err)
		return
	}
	c.Header("Allow", "POST, OPTIONS")
	c.Header("Accept-Post", "application/sdp")
	linkRelays(c.Writer.Header(), s.relaysFor(in, &session))
	c.Status(http.StatusNoContent)
}

// linkRelays adds Link headers as of WHIP (RFC 9725, section 4.6), which WHEP shares.
func linkRelays(header http.Header, relays []RelayCredential) {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	for _, r := range relays {
		for _, u := range r.URLs {
			header.Add("Link", "<"+u+`>; rel="ice-server"; username="`+quote.Replace(r.Username)+
				`"; credential="`+quote.Replace(r.Password)+`"; credential-type="password"`)
		}
	}
}

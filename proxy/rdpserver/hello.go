package rdpserver

import (
	"image"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

// Hello is what a client has said of itself by the end of Accept. Nothing of it is proved but Proved.
type Hello struct {
	// Cookie is the mstshash, RoutingToken what may come in its place, PreconnectionID and PreconnectionBlob what came before
	// that. They travel in clear.
	Cookie            string `json:"cookie,omitempty"`
	RoutingToken      string `json:"routing_token,omitempty"`
	PreconnectionID   uint32 `json:"preconnection_id,omitempty"`
	PreconnectionBlob string `json:"preconnection_blob,omitempty"`
	// Requested are the security protocols asked for, Selected the one spoken.
	Requested rdp.Protocol `json:"requested"`
	Selected  rdp.Protocol `json:"selected"`

	ClientName     string `json:"client_name,omitempty"`
	ClientBuild    uint32 `json:"client_build,omitempty"`
	KeyboardLayout uint32 `json:"keyboard_layout,omitempty"` // a Windows layout
	// Size is the desktop's as the client wishes, in pixels, and Scale how large it shows things, in per cent; zero: not told.
	Size  image.Point `json:"size"`
	Scale uint32      `json:"scale,omitempty"`
	// Depth is in bits a pixel: 32, 24, 16 or 15, the best the client takes.
	Depth             int    `json:"depth"`
	EarlyCapabilities uint16 `json:"early_capabilities"`
	// Channels are the names of the static channels the client asked for.
	Channels []string `json:"channels,omitempty"`

	Domain           string `json:"domain,omitempty"`
	Username         string `json:"username,omitempty"`
	WorkingDir       string `json:"working_dir,omitempty"`
	ClientAddress    string `json:"client_address,omitempty"` // as the client sees itself
	InfoFlags        uint32 `json:"info_flags"`
	PerformanceFlags uint32 `json:"performance_flags"`

	// Password and AlternateShell may hold a secret or a ticket. They never leave the process that accepted the client.
	Password       desktop.Secret         `json:"-"`
	AlternateShell desktop.Secret         `json:"-"`
	Reconnect      *rdp.ReconnectVerifier `json:"-"`
	// Proved is who has authenticated at network level; nil without NLA.
	Proved *Identity `json:"-"`
}

// Identity is a user name that a password was proved for at network level.
type Identity struct {
	Domain, Username string
	// Delegated is the password the client sent along for the server to sign in with.
	Delegated desktop.Secret
}

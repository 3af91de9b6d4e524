// Package config holds the configuration of `vitrine serve`.
//
// It is read in three layers, later ones winning: the defaults of [Default], a YAML file, and the environment.
// The environment variable of a key is its path in upper case with "_" between the parts and VITRINE_ before:
// http.listen is VITRINE_HTTP_LISTEN. Lists are separated by commas. The list of targets has no variables;
// their passwords can come from files or variables they name.
//
// Reading is strict: a key nobody knows, a duration without a unit or two sources for one secret is an error
// that names the path, so that a misspelt security setting never goes unnoticed. Relative paths are relative to
// the folder of the file.
package config

import (
	"path/filepath"
	"time"
)

// Config is the whole configuration. The zero value is not valid; start from Default.
type Config struct {
	HTTP      HTTP      `yaml:"http"`
	Limits    Limits    `yaml:"limits"`
	DataDir   string    `yaml:"data_dir"`  // database and lock; also spool and recordings unless set
	SpoolDir  string    `yaml:"spool_dir"` // running and not yet uploaded recordings
	Database  Database  `yaml:"database"`
	Secrets   Secrets   `yaml:"secrets"`
	Media     Media     `yaml:"media"`
	TURN      TURN      `yaml:"turn"`
	Native    Native    `yaml:"native"`
	Recording Recording `yaml:"recording"`
	Evidence  Evidence  `yaml:"evidence"`
	Detection Detection `yaml:"detection"`
	OCR       OCR       `yaml:"ocr"`
	Audit     Audit     `yaml:"audit"`
	Encoding  Encoding  `yaml:"encoding"`
	Session   Session   `yaml:"session"`
	Policy    Policy    `yaml:"policy"`
	Sandbox   Sandbox   `yaml:"sandbox"`
	Log       Log       `yaml:"log"`
	Metrics   Metrics   `yaml:"metrics"`
	Identity  Identity  `yaml:"identity"`
	Access    Access    `yaml:"access"`
	Notify    Notify    `yaml:"notify"`
	Targets   []Target  `yaml:"targets"`

	Credentials Credentials `yaml:"credentials"`
}

// HTTP is the API and console.
type HTTP struct {
	Listen string  `yaml:"listen"` // host:port
	TLS    HTTPTLS `yaml:"tls"`
	// TrustedProxies are the addresses or networks whose X-Forwarded-For is believed.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// PublicURL is the address people use, when a proxy in front changes it.
	PublicURL string `yaml:"public_url"`
}

// Media is how browsers reach workers.
type Media struct {
	UDPPorts        PortRange `yaml:"udp_ports"`        // one port a session
	TCP             bool      `yaml:"tcp"`              // also listen on TCP ports of the same numbers, for browsers that UDP does not reach
	Bind            string    `yaml:"bind"`             // IP address; empty: all
	PublicAddresses []string  `yaml:"public_addresses"` // IP addresses put into ICE candidates; empty: those of the host
}

// Recording is what is kept of a session and where.
type Recording struct {
	Store    Store `yaml:"store"`
	Keys     Keys  `yaml:"keys"`
	MinFree  Size  `yaml:"min_free"`  // sessions end when the spool's file system has less
	MaxSpool Size  `yaml:"max_spool"` // sessions end when their own spool holds more; 0: no bound
	// Encrypt makes what leaves for the store unreadable without the session's key, which the master key of secrets wraps.
	Encrypt bool `yaml:"encrypt"`
	// Search says which recordings' typed, copied and shown texts are in the database's search index, in the clear.
	Search SearchIndex `yaml:"search"`
	// Retention is how long recordings are kept where no policy says otherwise; then they are deleted.
	Retention  Retention  `yaml:"retention"`
	ObjectLock ObjectLock `yaml:"object_lock"`
	Export     Export     `yaml:"export"`
}

// SearchIndex says which recordings can be searched together.
type SearchIndex string

// The recordings in the index.
const (
	SearchAll         SearchIndex = "all"
	SearchUnencrypted SearchIndex = "unencrypted" // only those that rest unencrypted
	SearchOff         SearchIndex = "off"
)

// Store is where sealed recordings rest.
type Store struct {
	Type          StoreType `yaml:"type"`
	Path          string    `yaml:"path,omitempty"` // disk: the folder; empty: recordings in the data folder
	Endpoint      string    `yaml:"endpoint,omitempty"`
	Bucket        string    `yaml:"bucket,omitempty"`
	CreateBucket  bool      `yaml:"create_bucket"` // make the bucket when it is missing
	Prefix        string    `yaml:"prefix,omitempty"`
	Region        string    `yaml:"region,omitempty"`
	AccessKey     string    `yaml:"access_key,omitempty"`
	AccessKeyFile string    `yaml:"access_key_file,omitempty"`
	SecretKey     Secret    `yaml:"secret_key,omitempty"`
	SecretKeyFile string    `yaml:"secret_key_file,omitempty"`
	TLS           StoreTLS  `yaml:"tls"`
}

// StoreTLS is the connection to MinIO.
type StoreTLS struct {
	Off    bool   `yaml:"off"`     // plain HTTP
	CAFile string `yaml:"ca_file"` // PEM; empty: the system's roots
}

// StoreType names a kind of store.
type StoreType string

// Kinds of store.
const (
	StoreDisk  StoreType = "disk"
	StoreMinIO StoreType = "minio"
)

// Keys says how much of the keyboard is recorded.
type Keys string

// How much of the keyboard is recorded.
const (
	KeysFull     Keys = "full"
	KeysCommands Keys = "commands"
	KeysNone     Keys = "none"
)

// Encoding bounds the one encoder of a session.
type Encoding struct {
	FrameRate  int   `yaml:"frame_rate"`  // cap, frames a second
	MaxBitrate int64 `yaml:"max_bitrate"` // bits a second
}

// Session is how long sessions wait, and what they ask the target for.
type Session struct {
	OrphanTimeout  time.Duration `yaml:"orphan_timeout"`  // without any viewer; 0: for ever
	ConnectTimeout time.Duration `yaml:"connect_timeout"` // dialling and handshake together
	DefaultSize    Dimensions    `yaml:"default_size"`    // asked for when the caller asks for none; 0: the target's own
	Reconnect      time.Duration `yaml:"reconnect"`       // how long a broken connection to a target is tried again (rdp); 0: not
	// EndWarning is how long people are warned before a session ends that may not go on.
	EndWarning time.Duration `yaml:"end_warning"`
}

// Sandbox says what to do about the worker's lock-in.
type Sandbox string

// What to do about the worker's lock-in.
const (
	SandboxOff        Sandbox = "off"
	SandboxBestEffort Sandbox = "best_effort" // what the kernel offers
	SandboxRequired   Sandbox = "required"    // no session without all of it
)

// Log is the structured log on standard error.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text, json
}

// Metrics is the Prometheus endpoint, apart from the API and without sign-in.
type Metrics struct {
	Listen string `yaml:"listen"` // host:port; empty: none
}

// Target is a desktop people may connect to.
type Target struct {
	ID           string    `yaml:"id"`
	Name         string    `yaml:"name"`
	Description  string    `yaml:"description,omitempty"`
	Protocol     string    `yaml:"protocol"`         // vnc, rdp
	Address      string    `yaml:"address"`          // host:port
	Domain       string    `yaml:"domain,omitempty"` // rdp; or within username: DOMAIN\name, name@domain
	Username     string    `yaml:"username,omitempty"`
	Password     Secret    `yaml:"password,omitempty"`
	PasswordFile string    `yaml:"password_file,omitempty"`
	PasswordEnv  string    `yaml:"password_env,omitempty"`
	TLS          TargetTLS `yaml:"tls"`
	Clipboard    Clipboard `yaml:"clipboard"`
	ViewOnly     bool      `yaml:"view_only,omitempty"`
	Tags         []string  `yaml:"tags,omitempty"`
	RDP          *RDP      `yaml:"rdp,omitempty"` // protocol rdp only
}

// The protocols of targets.
const (
	ProtocolVNC = "vnc"
	ProtocolRDP = "rdp"
)

// TargetTLS is how the target proves who it is.
type TargetTLS struct {
	Mode        TLSMode `yaml:"mode"`                  // verify unless set
	CAFile      string  `yaml:"ca_file,omitempty"`     // verify: PEM; empty: the system's roots
	ServerName  string  `yaml:"server_name,omitempty"` // verify: empty: the host of the address
	Fingerprint string  `yaml:"fingerprint,omitempty"` // pin: SHA-256 of the certificate, hex, colons allowed
}

// TLSMode is how the target proves who it is.
type TLSMode string

// How the target proves who it is.
const (
	TLSVerify TLSMode = "verify" // by its certificate's chain and name
	TLSPin    TLSMode = "pin"    // by its certificate's fingerprint
	// TLSFirstUse takes whichever certificate it shows first, and from then on only that. Whoever sits on the network at
	// the first session can pose as the target.
	TLSFirstUse TLSMode = "first_use"
	TLSOff      TLSMode = "off" // not at all: plaintext is allowed; vnc only
)

// Clipboard says which way text may go. What is not set is allowed.
type Clipboard struct {
	ToTarget   *bool `yaml:"to_target"`
	FromTarget *bool `yaml:"from_target"`
}

// Default returns the configuration a file and the environment start from.
func Default() Config {
	return Config{
		Credentials: Credentials{Timeout: 10 * time.Second},
		Secrets:     Secrets{Transit: defaultTransit()},

		HTTP:     HTTP{Listen: "127.0.0.1:8080"},
		Limits:   Limits{RequestsPerMinute: 3000, ConnectsPerMinute: 30, SourceConnectsPerMinute: 120},
		DataDir:  "/var/lib/vitrine",
		Media:    Media{UDPPorts: PortRange{First: 40000, Last: 40999}, TCP: true},
		Native:   defaultNative(),
		TURN:     TURN{CredentialLifetime: 5 * time.Minute, MaxAllocations: 2000, MaxAllocationsPerUser: 50},
		Encoding: Encoding{FrameRate: 30, MaxBitrate: 12_000_000},
		Recording: Recording{
			Store:   Store{Type: StoreDisk, CreateBucket: true},
			Keys:    KeysFull,
			MinFree: 1 << 30,
			Encrypt: true,
			Search:  SearchAll,

			ObjectLock: ObjectLock{Mode: LockOff}, Export: Export{Concurrency: 1, Expiry: 24 * time.Hour, FFmpeg: "ffmpeg"},
		},
		Evidence:  Evidence{KeyName: "vitrine"},
		Detection: Detection{Enabled: true, Alerts: Retention(365 * 24 * time.Hour), Justification: Justification{Timeout: 5 * time.Minute, Unanswered: "refuse"}},
		OCR:       OCR{Enabled: true, Program: "tesseract", Languages: []string{"eng"}, Interval: 2 * time.Second, Timeout: 30 * time.Second, Processes: 1, Nice: 19},
		Session: Session{
			OrphanTimeout:  5 * time.Minute,
			ConnectTimeout: 20 * time.Second,
			Reconnect:      time.Minute,
			EndWarning:     time.Minute,
		},
		Audit: Audit{CheckpointInterval: time.Minute, CheckpointEntries: 1000, StoreInterval: time.Hour},
		Identity: Identity{
			MFA: MFAOptional, StepUpAge: 10 * time.Minute,
			IdleTimeout: 8 * time.Hour, SignInLifetime: 24 * time.Hour, MinPasswordLength: 12, MaxTokenLifetime: 365 * 24 * time.Hour,
		},
		Sandbox: SandboxBestEffort,
		Log:     Log{Level: "info", Format: "text"},
		Access:  defaultAccess(),
		Notify:  defaultNotify(),
	}
}

// derive fills what follows from other keys when it is not set.
func (c *Config) derive() {
	c.TURN.derive(&c.HTTP)
	c.Identity.derive()
	c.Secrets.derive(c.DataDir)
	c.Evidence.derive(c.DataDir)
	c.Audit.derive()
	c.Credentials.derive()
	if c.DataDir != "" {
		c.Database.derive(c.DataDir)
		if c.Audit.CheckpointsDir == "" {
			c.Audit.CheckpointsDir = filepath.Join(c.DataDir, "audit")
		}
		if c.SpoolDir == "" {
			c.SpoolDir = filepath.Join(c.DataDir, "spool")
		}
		if c.Recording.Store.Type == StoreDisk && c.Recording.Store.Path == "" {
			c.Recording.Store.Path = filepath.Join(c.DataDir, "recordings")
		}
	}
	for i := range c.Targets {
		c.Targets[i].derive()
	}
}

func (t *Target) derive() {
	if t.Name == "" {
		t.Name = t.ID
	}
	if t.TLS.Mode == "" {
		t.TLS.Mode = TLSVerify
	}
	if t.Protocol == ProtocolRDP {
		if t.RDP == nil {
			t.RDP = &RDP{}
		}
		t.RDP.derive()
	}
	if t.Clipboard.ToTarget == nil {
		t.Clipboard.ToTarget = new(true)
	}
	if t.Clipboard.FromTarget == nil {
		t.Clipboard.FromTarget = new(true)
	}
}

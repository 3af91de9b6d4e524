package serve

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/signkey"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// OpenAudit opens the audit log of a database. objects also gets checkpoints; nil for the command line, which may work
// beside the one process that writes there.
func OpenAudit(ctx context.Context, c *config.Config, db *store.Store, objects objectstore.Store, log *slog.Logger) (*audit.Log, error) {
	keep := []audit.Witness{&audit.Folder{Path: c.Audit.CheckpointsDir}}
	if objects != nil {
		keep = append(keep, &audit.Objects{Store: objects, Every: c.Audit.StoreInterval})
	}
	return audit.Open(ctx, audit.Options{
		Store: db.Audit, KeyFile: c.Evidence.KeyFile, KeyName: c.Evidence.KeyName, Keep: keep,
		Interval: c.Audit.CheckpointInterval, Entries: int64(c.Audit.CheckpointEntries), Logger: log,
	})
}

// CommandLine is who acts on the command line: the operating system's user, behind sudo the one who asked for it.
func CommandLine() audit.Actor {
	name := os.Getenv("SUDO_USER")
	if u, err := user.Current(); err == nil && name == "" {
		name = u.Username
	}
	if name == "" {
		name = "uid " + strconv.Itoa(os.Getuid())
	}
	return audit.Actor{Kind: audit.KindCLI, Name: name}
}

// system is the actor of what the gateway does by itself.
func system(part string) audit.Actor { return audit.Actor{Kind: audit.KindSystem, Name: part} }

// configDigest identifies a configuration: the SHA-256 of what `vitrine config print` prints, without secrets.
func configDigest(c *config.Config) string {
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		return ""
	}
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:])
}

// started is the entry of a session that is about to begin. It is written before the target is dialled.
func sessionStarted(row *store.Session, n *api.NewSession) audit.Entry {
	e := audit.Entry{
		Time: row.StartedAt, Actor: audit.Actor{ID: row.UserID, Name: row.UserName, Kind: audit.KindUser}, Source: row.ClientAddress,
		Action: audit.ActionSessionStarted, Outcome: audit.Success, SessionID: row.ID,
		Object:   audit.Object{Kind: "target", ID: row.TargetID, Name: row.TargetName},
		Details:  map[string]string{"account": row.AccountName, "protocol": row.TargetProtocol, "address": row.TargetAddress, "tags": strings.Join(n.Target.Tags, ",")},
		Policies: n.Admission.Policies,
	}
	more := map[string]string{"reason": n.Admission.Facts.Reason, "ticket": n.Admission.Facts.Ticket}
	if g := n.Admission.Grant; g != nil {
		more["grant_id"] = g.ID
	}
	for key, value := range more {
		if value != "" {
			e.Details[key] = value
		}
	}
	return e
}

// sessionEnded is the entry of a session that is over. Its actor is whoever's session it was.
func sessionEnded(row *store.Session) audit.Entry {
	return audit.Entry{
		Time: row.EndedAt, Actor: audit.Actor{ID: row.UserID, Name: row.UserName, Kind: audit.KindUser}, Source: row.ClientAddress,
		Action: audit.ActionSessionEnded, Outcome: audit.Success, SessionID: row.ID,
		Object: audit.Object{Kind: "target", ID: row.TargetID, Name: row.TargetName},
		Details: map[string]string{
			"code": row.EndCode, "message": row.EndMessage,
			"duration_ms": strconv.FormatInt(row.EndedAt.Sub(row.StartedAt).Milliseconds(), 10),
		},
	}
}

// recordingSealed is the entry that ties a recording to the log: by the hash of its manifest, which holds all others.
func recordingSealed(id string, s recording.State, manifest [sha256.Size]byte) audit.Entry {
	return audit.Entry{
		Actor: system("uploader"), Action: audit.ActionRecordingSealed, Outcome: audit.Success, SessionID: id,
		Object: audit.Object{Kind: "recording", ID: id},
		Details: map[string]string{
			"manifest_sha256": hex.EncodeToString(manifest[:]), "sealed_by": string(s.SealedBy),
			"bytes": strconv.FormatInt(s.Bytes, 10), "duration_ms": strconv.FormatInt(s.Duration.Milliseconds(), 10),
		},
	}
}

// manifestHash reads the manifest of a sealed recording as the store has it.
func manifestHash(ctx context.Context, library *recording.Library, id string) (sum [sha256.Size]byte, err error) {
	r, err := library.Open(ctx, id)
	if err != nil {
		return sum, err
	}
	defer r.Close()
	f, _, err := r.File(ctx, "manifest.json")
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// observeAudit shows the log's figures.
func (g *Gateway) observeAudit() {
	gauge := func(name, help string, value func(audit.Metrics) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(g.audit.Metrics()) })
	}
	counter := func(name, help string, value func(audit.Metrics) uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value(g.audit.Metrics())) })
	}
	g.registry.MustRegister(
		counter("vitrine_audit_entries_total", "Audit entries this process has written.", func(m audit.Metrics) uint64 { return m.Entries }),
		counter("vitrine_audit_failures_total", "Audit entries that could not be written; the acts failed.", func(m audit.Metrics) uint64 { return m.Failures }),
		gauge("vitrine_audit_size", "Entries of the audit log.", func(m audit.Metrics) float64 { return float64(m.Size) }),
		gauge("vitrine_audit_signed_size", "Entries under the last signed checkpoint.", func(m audit.Metrics) float64 { return float64(m.SignedSize) }),
		gauge("vitrine_audit_inconsistent", "1: the audit log is not the one that was signed before. It was altered or put back.", func(m audit.Metrics) float64 {
			if m.Inconsistent {
				return 1
			}
			return 0
		}),
	)
}

// VerifyAudit verifies the log of a database against its own checkpoints, those in the checkpoints' folder, in the store
// of recordings, and outside. Without keys it trusts the public keys beside the key file.
func VerifyAudit(ctx context.Context, c *config.Config, db *store.Store, outside []audit.Kept, keys []string) (audit.Report, error) {
	if len(keys) == 0 {
		content, err := os.ReadFile(c.Evidence.KeyFile + signkey.PublicSuffix)
		if err != nil {
			return audit.Report{}, err
		}
		if keys, err = audit.Keys(string(content)); err != nil {
			return audit.Report{}, err
		}
	}
	kept := map[string]audit.Witness{c.Audit.CheckpointsDir: &audit.Folder{Path: c.Audit.CheckpointsDir}}
	objects, err := ReadObjects(c.Recording)
	switch {
	case err == nil:
		defer objects.Close()
		kept["the store of recordings"] = &audit.Objects{Store: objects}
	case c.Recording.Store.Type != config.StoreDisk || !errors.Is(err, fs.ErrNotExist): // a folder is made by the first serve
		return audit.Report{}, err
	}
	for from, w := range kept {
		if err := w.All(ctx, func(signed string) error {
			outside = append(outside, audit.Kept{Note: signed, From: from})
			return nil
		}); err != nil {
			return audit.Report{}, err
		}
	}
	return audit.Verify(ctx, db.Audit, outside, keys)
}

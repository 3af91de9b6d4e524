package audit

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/vitrine-psm/vitrine/internal/signkey"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func raw(t *testing.T, list ...string) [][]byte {
	t.Helper()
	out := make([][]byte, len(list))
	for i, s := range list {
		var err error
		out[i], err = base64.StdEncoding.DecodeString(s)
		require.NoError(t, err)
	}
	return out
}

// TestProofs checks every inclusion and consistency proof with code other than the writer's.
func TestProofs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		r := newRig(t, db)
		roots := map[int64][]byte{}
		for range 9 {
			r.fill(2)
			require.NoError(t, r.Checkpoint(t.Context()))
			entries := r.entries()
			size := int64(len(entries))
			roots[size] = rootBy(t, entries)
			for i, e := range entries {
				p, err := Include(t.Context(), db.Audit, int64(i))
				require.NoError(t, err)
				require.Equal(t, size, p.Size)
				require.Equal(t, roots[size], raw(t, p.Root)[0])
				leaf := rfc6962.DefaultHasher.HashLeaf([]byte(e.Entry))
				require.Equal(t, leaf, raw(t, p.Leaf)[0])
				require.NoError(t, proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(i), uint64(size), leaf, raw(t, p.Hashes...), roots[size]))
			}
			for from, root := range roots {
				p, err := Extend(t.Context(), db.Audit, from)
				require.NoError(t, err)
				require.NoError(t, proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(from), uint64(size), raw(t, p.Hashes...), root, roots[size]))
			}
		}
		r.fill(1)
		_, err := Include(t.Context(), db.Audit, 19)
		require.ErrorIs(t, err, ErrNotSigned)
		_, err = Include(t.Context(), db.Audit, 99)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = Extend(t.Context(), db.Audit, 20)
		require.Error(t, err)
	})
}

func (r *rig) export(first, end int64) []byte {
	r.t.Helper()
	public, err := os.ReadFile(r.opts.KeyFile + signkey.PublicSuffix)
	require.NoError(r.t, err)
	var b bytes.Buffer
	_, err = Export(r.t.Context(), &b, r.db.Audit, first, end, public)
	require.NoError(r.t, err)
	return b.Bytes()
}

// repack changes one file of a bundle.
func repack(t *testing.T, bundle []byte, name string, change func(string) string) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	require.NoError(t, err)
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	for _, f := range z.File {
		in, err := f.Open()
		require.NoError(t, err)
		content, err := io.ReadAll(in)
		require.NoError(t, err)
		if f.Name == name {
			content = []byte(change(string(content)))
		}
		w, err := out.Create(f.Name)
		require.NoError(t, err)
		_, err = w.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, out.Close())
	return b.Bytes()
}

func TestBundle(t *testing.T) {
	r := history(t, nil)
	first := r.keys()
	_, err := r.Rotate(t.Context(), Actor{Kind: KindCLI, Name: "root"})
	require.NoError(t, err)
	r.fill(5)
	require.NoError(t, r.Checkpoint(t.Context()))
	whole, part := r.export(0, 0), r.export(20, 30)

	verify := func(b []byte, keys []string) (Report, error) {
		return VerifyBundle(t.Context(), bytes.NewReader(b), int64(len(b)), r.outside(), keys)
	}
	for name, keys := range map[string][]string{"the first key": first, "all keys": r.keys(), "the bundle's": nil} {
		report, err := verify(whole, keys)
		require.NoError(t, err, name)
		require.EqualValues(t, 47, report.Signed)
		report, err = verify(part, keys)
		require.NoError(t, err, name)
		require.EqualValues(t, 12, report.Signed, "ten and the two that name keys")
	}
	k, err := signkey.Open(t.TempDir()+"/k", "test-log")
	require.NoError(t, err)
	for _, b := range [][]byte{whole, part} {
		_, err = verify(b, []string{k.Verifier()})
		_, ok := errors.AsType[*VerifyError](err)
		require.True(t, ok, "%v", err)
	}

	dropLine := func(n int) func(string) string {
		return func(s string) string {
			lines := strings.SplitAfter(s, "\n")
			return strings.Join(append(lines[:n:n], lines[n+1:]...), "")
		}
	}
	edit := func(s string) string { return strings.Replace(s, "alice", "mallo", 1) }
	for name, b := range map[string][]byte{
		"whole, edited":              repack(t, whole, bundleEntries, edit),
		"whole, one missing":         repack(t, whole, bundleEntries, dropLine(7)),
		"whole, last missing":        repack(t, whole, bundleEntries, dropLine(46)),
		"whole, a checkpoint edited": repack(t, whole, bundleCheckpoints, func(s string) string { return strings.Replace(s, `"size":31`, `"size":30`, 1) }),
		"part, edited":               repack(t, part, bundleEntries, edit),
		"part, one missing":          repack(t, part, bundleEntries, dropLine(5)),
		"part, a proof missing":      repack(t, part, bundleProofs, dropLine(10)),
		"part, a proof edited": repack(t, part, bundleProofs, func(s string) string {
			before, after, _ := strings.Cut(s, `"hashes":["`)
			return before + `"hashes":["` + string('A'+('B'-after[0])&1) + after[1:] // another first letter
		}),
		"part, no checkpoint":         repack(t, part, bundleCheckpoints, func(string) string { return "" }),
		"part, the checkpoint edited": repack(t, part, bundleCheckpoints, func(s string) string { return strings.Replace(s, `47\n`, `48\n`, 1) }),
	} {
		_, err := verify(b, first)
		_, ok := errors.AsType[*VerifyError](err)
		require.True(t, ok, "%s: %v", name, err)
	}
}

// FuzzBundle: a file from anywhere is refused without harm.
func FuzzBundle(f *testing.F) {
	f.Add([]byte("{}\n"), []byte(`{"index":0,"size":1,"hashes":["x"]}`+"\n"), []byte(`{"size":1,"note":"a\n1\nx\n\n— a x\n"}`+"\n"))
	f.Add([]byte(string(sample(1).clean(at).encode(0))+"\n"), []byte("\n"), []byte(`{"size":9,"note":""}`))
	f.Fuzz(func(t *testing.T, entries, proofs, checkpoints []byte) {
		for _, withProofs := range []bool{true, false} {
			var b bytes.Buffer
			z := zip.NewWriter(&b)
			for name, content := range map[string][]byte{bundleEntries: entries, bundleProofs: proofs, bundleCheckpoints: checkpoints} {
				if name == bundleProofs && !withProofs {
					continue
				}
				w, err := z.Create(name)
				require.NoError(t, err)
				_, err = w.Write(content)
				require.NoError(t, err)
			}
			require.NoError(t, z.Close())
			_, err := VerifyBundle(t.Context(), bytes.NewReader(b.Bytes()), int64(b.Len()), nil, []string{"test+00000000+AA=="})
			require.Error(t, err, "nobody has the key")
		}
	})
}

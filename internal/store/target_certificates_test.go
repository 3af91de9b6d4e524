package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func TestTargetCertificates(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		_, err := s.Certificates.Get(ctx, "desk")
		require.ErrorIs(t, err, store.ErrNotFound)
		require.ErrorIs(t, s.Certificates.Forget(ctx, "desk"), store.ErrNotFound)
		list, err := s.Certificates.List(ctx)
		require.NoError(t, err)
		require.Empty(t, list)

		first := store.TargetCertificate{TargetID: "desk", Fingerprint: strings.Repeat("ab", 32), FirstSeen: epoch, SessionID: "s1"}
		held, err := s.Certificates.Trust(ctx, first)
		require.NoError(t, err)
		require.Equal(t, first, held)

		// The first counts, whatever comes later.
		held, err = s.Certificates.Trust(ctx, store.TargetCertificate{TargetID: "desk", Fingerprint: strings.Repeat("cd", 32), FirstSeen: epoch.Add(time.Hour), SessionID: "s2"})
		require.NoError(t, err)
		require.Equal(t, first, held)
		other := store.TargetCertificate{TargetID: "a", Fingerprint: strings.Repeat("ef", 32), FirstSeen: epoch, SessionID: "s3"}
		_, err = s.Certificates.Trust(ctx, other)
		require.NoError(t, err)
		list, err = s.Certificates.List(ctx)
		require.NoError(t, err)
		require.Equal(t, []store.TargetCertificate{other, first}, list)

		require.NoError(t, s.Certificates.Forget(ctx, "desk"))
		_, err = s.Certificates.Get(ctx, "desk")
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.Certificates.Get(ctx, "a")
		require.NoError(t, err)
	})
}

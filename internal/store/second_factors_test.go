package store_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func TestTOTPFactors(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		require.NoError(t, s.Users.Create(ctx, store.User{ID: "u1", Name: "alice"}))
		_, err := s.SecondFactors.TOTP(ctx, "u1")
		require.ErrorIs(t, err, store.ErrNotFound)
		f := store.TOTPFactor{UserID: "u1", CreatedAt: epoch, LastStep: 5}
		require.NoError(t, s.SecondFactors.SetTOTP(ctx, f))
		got, err := s.SecondFactors.TOTP(ctx, "u1")
		require.NoError(t, err)
		require.Equal(t, f, got)

		require.ErrorIs(t, s.SecondFactors.UseTOTP(ctx, "u1", 5), store.ErrNotFound, "used")
		require.ErrorIs(t, s.SecondFactors.UseTOTP(ctx, "u1", 4), store.ErrNotFound, "older")
		require.ErrorIs(t, s.SecondFactors.UseTOTP(ctx, "u2", 9), store.ErrNotFound, "somebody else's")
		// Of many at once one is the first.
		var wins atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if s.SecondFactors.UseTOTP(ctx, "u1", 6) == nil {
					wins.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, wins.Load())
		require.NoError(t, s.SecondFactors.DeleteTOTP(ctx, "u1"))
		require.ErrorIs(t, s.SecondFactors.DeleteTOTP(ctx, "u1"), store.ErrNotFound)
	})
}

func TestPasskeys(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		for _, u := range []string{"u1", "u2"} {
			require.NoError(t, s.Users.Create(ctx, store.User{ID: u, Name: "name-" + u}))
		}
		p := store.Passkey{ID: "k1", UserID: "u1", Name: "Blue key", Credential: "{}", SignCount: 1 << 31, CreatedAt: epoch}
		require.NoError(t, s.SecondFactors.AddPasskey(ctx, p, 2))
		require.ErrorIs(t, s.SecondFactors.AddPasskey(ctx, store.Passkey{ID: "k1", UserID: "u2"}, 2), store.ErrExists, "one key, one person")
		require.NoError(t, s.SecondFactors.AddPasskey(ctx, store.Passkey{ID: "k2", UserID: "u1", Name: "b", CreatedAt: epoch.Add(1)}, 2))
		require.ErrorIs(t, s.SecondFactors.AddPasskey(ctx, store.Passkey{ID: "k3", UserID: "u1", CreatedAt: epoch}, 2), store.ErrTooMany)
		list, err := s.SecondFactors.Passkeys(ctx, "u1")
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.Equal(t, p, list[0])

		p.SignCount, p.Cloned, p.LastUsedAt, p.Credential = 1<<31+1, true, epoch.Add(time.Hour), `{"a":1}`
		require.ErrorIs(t, s.SecondFactors.UsePasskey(ctx, p, 7), store.ErrNotFound, "moved meanwhile")
		require.NoError(t, s.SecondFactors.UsePasskey(ctx, p, 1<<31))
		list, err = s.SecondFactors.Passkeys(ctx, "u1")
		require.NoError(t, err)
		require.Equal(t, p, list[0])

		require.ErrorIs(t, s.SecondFactors.RenamePasskey(ctx, "u2", "k1", "mine"), store.ErrNotFound)
		require.NoError(t, s.SecondFactors.RenamePasskey(ctx, "u1", "k1", "Red key"))
		require.ErrorIs(t, s.SecondFactors.DeletePasskey(ctx, "u2", "k1"), store.ErrNotFound)
		require.NoError(t, s.SecondFactors.DeletePasskey(ctx, "u1", "k1"))
		list, err = s.SecondFactors.Passkeys(ctx, "u1")
		require.NoError(t, err)
		require.Len(t, list, 1)
	})
}

func TestRecoveryCodes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		require.NoError(t, s.Users.Create(ctx, store.User{ID: "u1", Name: "alice"}))
		require.NoError(t, s.SecondFactors.SetRecoveryCodes(ctx, "u1", []string{"a", "b", "c"}, epoch))
		require.ErrorIs(t, s.SecondFactors.UseRecoveryCode(ctx, "u2", "a"), store.ErrNotFound)
		require.NoError(t, s.SecondFactors.UseRecoveryCode(ctx, "u1", "a"))
		require.ErrorIs(t, s.SecondFactors.UseRecoveryCode(ctx, "u1", "a"), store.ErrNotFound, "once")
		n, err := s.SecondFactors.CountRecoveryCodes(ctx, "u1")
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.NoError(t, s.SecondFactors.SetRecoveryCodes(ctx, "u1", []string{"d", "e"}, epoch))
		require.ErrorIs(t, s.SecondFactors.UseRecoveryCode(ctx, "u1", "b"), store.ErrNotFound, "replaced")
		require.NoError(t, s.SecondFactors.UseRecoveryCode(ctx, "u1", "e"))
		require.NoError(t, s.SecondFactors.SetRecoveryCodes(ctx, "u1", nil, epoch))
		n, err = s.SecondFactors.CountRecoveryCodes(ctx, "u1")
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

func TestCeremonies(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		c := store.Ceremony{ID: "sign_in:1", UserID: "u1", Payload: "{}", ExpiresAt: epoch.Add(time.Minute)}
		require.NoError(t, s.Ceremonies.Put(ctx, c, epoch))
		got, err := s.Ceremonies.Get(ctx, c.ID, epoch)
		require.NoError(t, err)
		require.Equal(t, c, got)
		_, err = s.Ceremonies.Get(ctx, c.ID, c.ExpiresAt)
		require.ErrorIs(t, err, store.ErrNotFound, "expired")
		_, err = s.Ceremonies.Take(ctx, c.ID, c.ExpiresAt)
		require.ErrorIs(t, err, store.ErrNotFound, "expired")

		for range 3 {
			_, err = s.Ceremonies.Attempt(ctx, c.ID, 3, epoch)
			require.NoError(t, err)
		}
		_, err = s.Ceremonies.Attempt(ctx, c.ID, 3, epoch)
		require.ErrorIs(t, err, store.ErrNotFound, "tried too often")
		require.NoError(t, s.Ceremonies.Put(ctx, c, epoch))
		_, err = s.Ceremonies.Attempt(ctx, c.ID, 3, epoch)
		require.NoError(t, err, "begun anew")

		var wins atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := s.Ceremonies.Take(ctx, c.ID, epoch); err == nil {
					wins.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, wins.Load(), "finished once")

		require.NoError(t, s.Ceremonies.Put(ctx, c, epoch))
		later := store.Ceremony{ID: "other", Payload: "{}", ExpiresAt: epoch.Add(time.Hour)}
		require.NoError(t, s.Ceremonies.Put(ctx, later, epoch.Add(2*time.Minute)))
		var n int
		require.NoError(t, storetest.Raw(t, s).QueryRowContext(ctx, `SELECT COUNT(*) FROM ceremonies`).Scan(&n))
		require.Equal(t, 1, n, "what has expired is removed")
		require.NoError(t, s.Ceremonies.Delete(ctx, later.ID))
		require.NoError(t, s.Ceremonies.Delete(ctx, later.ID))
	})
}

// TestCeremoniesAreBounded: strangers can begin ceremonies, as many as they like.
func TestCeremoniesAreBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		raw := storetest.Raw(t, s)
		const full, batch = 20_000, 1000
		for i := 0; i < full; i += batch {
			var rows []string
			for j := i; j < i+batch; j++ {
				rows = append(rows, fmt.Sprintf("('c%d', '', '', %d)", j, epoch.UnixMicro()+int64(j)+1))
			}
			_, err := raw.ExecContext(ctx, `INSERT INTO ceremonies (id, user_id, payload, expires_at) VALUES `+strings.Join(rows, ","))
			require.NoError(t, err)
		}
		require.NoError(t, s.Ceremonies.Put(ctx, store.Ceremony{ID: "new", ExpiresAt: epoch.Add(time.Hour)}, epoch))
		var n int
		require.NoError(t, raw.QueryRowContext(ctx, `SELECT COUNT(*) FROM ceremonies`).Scan(&n))
		require.Equal(t, full-full/10+1, n)
		_, err := s.Ceremonies.Get(ctx, "new", epoch)
		require.NoError(t, err)
		_, err = s.Ceremonies.Get(ctx, "c1", epoch)
		require.ErrorIs(t, err, store.ErrNotFound, "those that end first make room")
	})
}

package testbed

import (
	"errors"
	"os"

	"github.com/vitrine-psm/vitrine/internal/testbed/link"
)

// StartLink makes a network link that can behave badly and a network namespace at its end, both gone when the test ends. It wants to
// be root. What is lost, once something is to be, is drawn from seed.
func StartLink(t TB, seed uint64) *link.Link {
	t.Helper()
	Require(t, "ip")
	l, err := link.New(seed)
	switch {
	case errors.Is(err, os.ErrPermission), errors.Is(err, os.ErrNotExist):
		unavailable(t, "network namespaces and /dev/net/tun, which want root: "+err.Error())
	case err != nil:
		t.Fatalf("testbed: %v", err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Logf("testbed: %v", err)
		}
	})
	return l
}

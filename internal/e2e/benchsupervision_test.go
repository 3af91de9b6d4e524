package e2e

import (
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// BenchmarkSupervision freezes and terminates sessions in which text scrolls and keys are pressed all the time, by a supervisor's click
// in the console and by the API. It measures how long it takes from there until the person's window says so, and until nothing reaches
// the target any more: the last key when it is frozen, the end of its connection when it is terminated.
//
//	go test ./internal/e2e -run '^$' -bench Supervision -benchtime 1x
func BenchmarkSupervision(b *testing.B) {
	benchmarkSupervision(b, tigerVNC)
	b.Run("xrdp", func(b *testing.B) { benchmarkSupervision(b, xrdp) })
}

func benchmarkSupervision(b *testing.B, target benchTarget) {
	const times = 30
	for _, c := range []struct {
		name    string
		begin   act
		measure func(s *benchSupervision, begin act) (seen, stopped time.Duration)
	}{
		{"freeze-click", clicks("Freeze", "Freeze"), (*benchSupervision).freeze},
		{"freeze-api", calls("freeze"), (*benchSupervision).freeze},
		{"terminate-click", clicks("Terminate the session", "Terminate"), (*benchSupervision).terminate},
		{"terminate-api", calls("terminate"), (*benchSupervision).terminate},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				s := superviseBenchDesktop(b, target)
				var seen, stopped []time.Duration
				for range times {
					time.Sleep(200*time.Millisecond + rand.N(100*time.Millisecond)) // in step with nothing
					shown, quiet := c.measure(s, c.begin)
					seen, stopped = append(seen, shown), append(stopped, quiet)
				}
				reportPercentiles(b, "", seen)
				reportPercentiles(b, "target-", stopped)
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// benchSupervision is a session of admin's, with a window on it of admin's and one of a supervisor's.
type benchSupervision struct {
	*benchDesktop
	line       *line
	log        *testbed.InputLog
	admin, sue *browser
	api        *gateway // as sue calls it
}

// act is what a supervisor does; it returns when.
type act func(s *benchSupervision) time.Time

// clicks opens a dialog, and is the click that confirms it.
func clicks(button, confirm string) act {
	return func(s *benchSupervision) time.Time {
		s.sue.click("button", button)
		s.sue.answerDialog("Reason", "A measurement.", confirm)
		return s.sue.moment("clicked")
	}
}

// calls is a call of the API.
func calls(name string) act {
	return func(s *benchSupervision) time.Time {
		began := time.Now()
		s.api.call("POST", "/sessions/"+s.session.ID+"/"+name, map[string]string{"reason": "A measurement."}, http.StatusNoContent, nil)
		return began
	}
}

func superviseBenchDesktop(b *testing.B, target benchTarget) *benchSupervision {
	requireConsole(b)
	s := &benchSupervision{}
	s.benchDesktop = newBenchDesktop(b, func(b *testing.B) (settings string, screen func() *testbed.X) {
		settings, screen = target(b)
		address := regexp.MustCompile(`address: "([^"]+)"`).FindStringSubmatch(settings)[1]
		s.line = startLine(b, address)
		return strings.Replace(settings, address, s.line.addr, 1), screen
	})
	s.log = testbed.LogInput(b, &testbed.X{Display: s.display})
	s.api = s.gateway.addUser("sue", adminPassword, "supervisor")
	s.admin, s.sue = openBrowser(b, s.gateway), openBrowserAs(b, s.gateway, "sue")
	workloadNamed("scroll").start(b, s.display, 300)
	s.show()
	return s
}

// show opens the session in both windows, admin's with a key that is pressed all the time.
func (s *benchSupervision) show() {
	s.admin.do("goto", nil, "path", "/sessions/"+s.session.ID)
	s.sue.do("goto", nil, "path", "/sessions/"+s.session.ID+"?role=view")
	for _, b := range []*browser{s.admin, s.sue} {
		b.until("a picture", func(p page) bool { return p.W > 0 })
	}
	s.admin.mouse(10, 10, "left")
	s.admin.do("drum", nil, "every", 10)
	s.drummed(time.Now())
}

// drummed waits until a key arrives that was pressed after a time.
func (s *benchSupervision) drummed(after time.Time) {
	testbed.Eventually(s.b, patience, "keys at the target", func() bool {
		inputs := s.log.Inputs()
		return len(inputs) > 0 && inputs[len(inputs)-1].At.After(after)
	})
}

func (s *benchSupervision) freeze(begin act) (seen, stopped time.Duration) {
	s.admin.do("expect", nil, "text", "has frozen this session")
	at := begin(s)
	seen = s.admin.moment("expected").Sub(at)
	time.Sleep(100 * time.Millisecond) // what is under way would have arrived
	inputs := s.log.Inputs()
	stopped = max(0, inputs[len(inputs)-1].At.Sub(at))
	s.gateway.call("POST", "/sessions/"+s.session.ID+"/resume", nil, http.StatusNoContent, nil)
	s.drummed(time.Now())
	return seen, stopped
}

func (s *benchSupervision) terminate(begin act) (seen, stopped time.Duration) {
	s.admin.do("expect", nil, "text", "The session has ended")
	select {
	case <-s.line.closed: // a connection that was only to ask what the target can do
	default:
	}
	at := begin(s)
	seen = s.admin.moment("expected").Sub(at)
	select {
	case closed := <-s.line.closed:
		stopped = closed.Sub(at)
	case <-time.After(patience):
		require.Fail(s.b, "the target's connection stays")
	}
	s.gateway.ended(s.session.ID, patience)
	s.session = s.connect()
	s.show()
	return seen, stopped
}

// line is the line to a target, which notes when the gateway ends a connection.
type line struct {
	addr   string
	closed chan time.Time // capacity 1; nobody closes it
}

func startLine(b *testing.B, target string) *line {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	l := &line{addr: listener.Addr().String(), closed: make(chan time.Time, 1)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { l.pass(client, target) })
		}
	})
	b.Cleanup(func() { // after that of the gateway, whose connections are closed then
		listener.Close()
		wg.Wait()
	})
	return l
}

func (l *line) pass(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { _, _ = io.Copy(client, server) }) // ends with either connection
	_, _ = io.Copy(server, client)
	select {
	case l.closed <- time.Now():
	default: // of a session that nobody measures
	}
	server.Close()
	back.Wait()
}

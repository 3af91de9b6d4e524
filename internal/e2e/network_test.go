package e2e

import (
	"bufio"
	"fmt"
	"image"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/internal/testbed/link"
)

// farDesk is a desktop whose viewers come over links that may be bad.
type farDesk struct {
	t       *testing.T
	x       *testbed.Xvnc
	gateway *gateway
	links   []*link.Link
}

// startFarDesk makes that many links to a desktop of a size. All of them reach the gateway's media at one address, the first one's.
func startFarDesk(t *testing.T, size image.Point, links int) *farDesk {
	t.Helper()
	testbed.Require(t, "Xvnc", "xterm", "xdotool", "display", testbed.Python)
	d := &farDesk{t: t}
	for i := range links {
		d.links = append(d.links, testbed.StartLink(t, uint64(i+1)))
	}
	d.x = testbed.StartXvnc(t, testbed.XvncOptions{Size: size})
	testbed.PaintWallpaper(t, &d.x.X)
	t.Setenv("VITRINE_MEDIA_BIND", d.links[0].Host.String())
	d.gateway = startGateway(t, fmt.Sprintf("targets:\n  - {id: desk, name: Desk, protocol: vnc, address: %q, tls: {mode: \"off\"}}\n", d.x.Addr))
	return d
}

// browse opens Chromium at the far end of the first link, HTTP included, with a window that shows the desktop at 1:1.
func (d *farDesk) browse(size image.Point) *exactDesk {
	d.t.Helper()
	u, err := url.Parse(d.gateway.url)
	require.NoError(d.t, err)
	port, err := strconv.Atoi(u.Port())
	require.NoError(d.t, err)
	require.NoError(d.t, d.links[0].Forward(port))
	b := openBrowserIn(d.t, d.gateway, "admin", d.links[0].Do)
	b.do("viewport", nil, "width", size.X, "height", size.Y+toolbarHeight)
	return newExactDesk(d.t, d.x, d.gateway, b)
}

// connect opens the session in the browser.
func (d *exactDesk) connect() {
	d.t.Helper()
	d.id = d.b.connect("Desk")
}

// terminal opens an xterm that keeps what is typed into it, and returns where.
func (d *farDesk) terminal() (file string) {
	d.t.Helper()
	file = filepath.Join(d.t.TempDir(), "typed")
	testbed.XTerm(d.t, d.x.Display, "cat > "+file)
	return file
}

// noise starts to draw noise now and then: see noise.py. It ends with the test.
func (d *farDesk) noise(width, height int, interval time.Duration) *changes {
	d.t.Helper()
	return readChanges(d.t, d.x.Display, "noise.py", strconv.Itoa(width), strconv.Itoa(height), fmt.Sprint(interval.Seconds()), "3600")
}

// readChanges runs a script that tells when a display changes. It ends with the test.
func readChanges(t *testing.T, display, name string, arguments ...string) *changes {
	t.Helper()
	cmd := exec.Command(testbed.Python, append([]string{script(name)}, arguments...)...)
	cmd.Env = append(os.Environ(), "DISPLAY="+display)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	c := &changes{}
	read := make(chan struct{})
	go func() {
		defer close(read)
		c.read(out)
	}()
	c.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait() // killed
	})
	t.Cleanup(c.stop)
	return c
}

// changes are when the screen changed.
type changes struct {
	stop func()

	mu sync.Mutex
	at []time.Time
}

func (c *changes) read(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var number, ns int64
		if _, err := fmt.Sscan(lines.Text(), &number, &ns); err == nil {
			c.mu.Lock()
			c.at = append(c.at, time.Unix(0, ns))
			c.mu.Unlock()
		}
	}
}

// between returns the changes of a stretch of time.
func (c *changes) between(from, to time.Time) []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, _ := slices.BinarySearchFunc(c.at, from, time.Time.Compare)
	j, _ := slices.BinarySearchFunc(c.at, to, time.Time.Compare)
	return slices.Clone(c.at[i:j])
}

// sight is what a player saw of a stretch of time.
type sight struct {
	changes, units, idrs int
	latency, age         time.Duration // medians: from a change to the next unit; how old pictures were
	link                 link.Counters // of packets to the player
	kbits                int           // a second
}

// see watches what comes to a player over a link for a time.
func see(c *changes, p *player, over *link.Link, length time.Duration) sight {
	from, before := time.Now(), over.Download()
	time.Sleep(length)
	to, after := time.Now(), over.Download()
	time.Sleep(500 * time.Millisecond) // the last one's unit
	changed, units := c.between(from, to), p.since(from)
	s := sight{changes: len(changed), latency: median(latencies(changed, units)), age: median(p.ages(from, to))}
	for _, u := range units {
		if u.at.Before(to) {
			s.units++
			if u.idr {
				s.idrs++
			}
		}
	}
	s.link = link.Counters{Packets: after.Packets - before.Packets, Bytes: after.Bytes - before.Bytes, Overflowed: after.Overflowed - before.Overflowed}
	s.kbits = int(float64(8*s.link.Bytes) / to.Sub(from).Seconds() / 1000)
	return s
}

// String says it in a line of a log.
func (s sight) String() string {
	return fmt.Sprintf("%d changes, %d pictures, %d of them IDR, %v after a change, %v old, %d kbit/s, %d packets, %d lost to the queue",
		s.changes, s.units, s.idrs, s.latency.Round(100*time.Microsecond), s.age.Round(100*time.Microsecond), s.kbits, s.link.Packets, s.link.Overflowed)
}

// latencies returns how long after each change the next unit was there.
func latencies(changes []time.Time, units []unit) []time.Duration {
	var took []time.Duration
	for _, c := range changes {
		i, _ := slices.BinarySearchFunc(units, c, func(u unit, t time.Time) int { return u.at.Compare(t) })
		if i < len(units) {
			took = append(took, units[i].at.Sub(c))
		}
	}
	return took
}

// median is an hour where there is nothing.
func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return time.Hour
	}
	return slices.Sorted(slices.Values(d))[len(d)/2]
}

// TestLossyLink works over 5 % loss, with a long and a short way and none: what is typed arrives, also what is typed as soon as there is a
// picture, pictures go on, and at rest the browser's window shows the desktop pixel by pixel.
func TestLossyLink(t *testing.T) {
	requireConsole(t)
	d := startFarDesk(t, exactSize, 1)
	typed := d.terminal()
	far := d.browse(exactSize)
	so := ""
	for _, delay := range []time.Duration{50 * time.Millisecond, 10 * time.Millisecond, 0} {
		d.links[0].Set(link.Conditions{Loss: 0.05, Delay: delay})
		if far.id == "" {
			far.connect()
		}
		line := fmt.Sprintf("over a bad link, %v away\n", delay)
		so += line
		far.b.mouse(60, 60, "left")
		far.b.typeText(line)
		waitFile(t, typed, so)
		far.b.mouse(exactSize.X-1, exactSize.Y-1, "") // the pointer is a part of what is seen
		far.requireRest("typing, " + delay.String() + " away")

		c := d.noise(256, 128, 100*time.Millisecond)
		before := d.links[0].Download()
		require.Eventually(t, func() bool { return d.links[0].Download().Lost-before.Lost > 20 }, patience, 100*time.Millisecond, "nothing was lost")
		c.stop()
		testbed.Run(t, d.x.Display, "xrefresh") // what lay under the noise
		far.requireRest("noise, " + delay.String() + " away")
	}
	n := d.links[0].Download()
	t.Logf("%d packets came, %d were lost", n.Packets, n.Lost)
	far.b.silent()
}

// TestExactOverLoss does what TestExact does over a link that loses 5 % of the packets.
func TestExactOverLoss(t *testing.T) {
	requireConsole(t)
	d := startFarDesk(t, exactSize, 1)
	far := d.browse(exactSize)
	far.connect()
	d.links[0].Set(link.Conditions{Loss: 0.05})
	far.b.mouse(exactSize.X-1, exactSize.Y-1, "") // the pointer is a part of what is seen
	far.requireExactAfterWork()
	require.NotZero(t, d.links[0].Download().Lost)
	far.b.silent()
}

// TestPointerRests loses every third packet: the pointer comes to each place where it stays all the same.
func TestPointerRests(t *testing.T) {
	requireConsole(t)
	size := image.Pt(800, 600)
	d := startFarDesk(t, size, 1)
	far := d.browse(size)
	far.connect()
	d.links[0].Set(link.Conditions{Loss: 0.33})
	log := testbed.LogInput(t, &d.x.X)
	for i := range 15 {
		x, y := 40*i+20, 30*i+20
		far.b.mouse(x, y, "")
		testbed.Eventually(t, patience, "the pointer where it was moved to", func() bool {
			inputs := log.Inputs()
			return len(inputs) > 0 && inputs[len(inputs)-1].What == fmt.Sprintf("motion %d %d", x, y)
		})
	}
	far.b.silent()
}

// requireRest waits until the window stays as it is, logs how long after the desktop's last change that was, and requires it to be exact then.
func (d *exactDesk) requireRest(after string) {
	d.t.Helper()
	began := time.Now()
	seen := d.b.settled()
	rest := began
	if all := d.changes.between(began, seen); len(all) > 0 {
		rest = all[len(all)-1]
	}
	d.t.Logf("as it stays %v after %s", seen.Sub(rest).Round(time.Millisecond), after)
	d.requireExact(after)
}

// TestSlowLink limits the link of the viewer in control while the desktop changes by far more than it carries: the stream fits itself
// into it, pictures go on coming and are not old, and afterwards all is as before.
func TestSlowLink(t *testing.T) {
	d := startFarDesk(t, image.Pt(1024, 768), 1)
	over := d.links[0]
	s := d.gateway.connect("desk")
	p := d.gateway.play(over, s.ID, "control")
	p.picture(t, time.Time{})
	c := d.noise(256, 128, 100*time.Millisecond)
	delay := link.Conditions{Delay: 20 * time.Millisecond}
	over.Set(delay)
	see(c, p, over, 3*time.Second)
	before := see(c, p, over, 5*time.Second)
	t.Logf("not limited: %v", before)
	require.Greater(t, before.kbits, 1500, "the workload is no challenge")

	for _, limit := range []struct {
		rate  int           // bits a second
		units int           // at least, in six seconds
		age   time.Duration // at most
	}{{1_000_000, 12, time.Second}, {300_000, 3, 3 * time.Second}} {
		slow := delay
		slow.Rate = limit.rate
		over.SetDownload(slow)
		var last sight
		fits := func() bool {
			last = see(c, p, over, 6*time.Second)
			t.Logf("%d kbit/s: %v", limit.rate/1000, last)
			return last.units >= limit.units && last.age <= limit.age && last.idrs <= 5 && last.link.Overflowed < last.link.Packets/20
		}
		fitted := false
		for range 7 { // the estimate takes its time
			if fitted = fits(); fitted {
				break
			}
		}
		require.True(t, fitted, "the stream does not fit into %d kbit/s: %v", limit.rate/1000, last)
	}

	over.Set(delay)
	recovered := func() bool {
		now := see(c, p, over, 5*time.Second)
		t.Logf("not limited any more: %v", now)
		return now.units >= now.changes*8/10 && now.age <= before.age+100*time.Millisecond
	}
	for end := time.Now().Add(2 * patience); !recovered(); {
		require.True(t, time.Now().Before(end), "the stream does not recover")
	}
}

// TestStarvedWatcher has a watcher on a link that carries a tenth of the stream. The viewer in control must not notice: as many
// pictures, as soon. The watcher sees a whole picture now and then.
func TestStarvedWatcher(t *testing.T) {
	d := startFarDesk(t, image.Pt(1024, 768), 2)
	s := d.gateway.connect("desk")
	for _, l := range d.links {
		l.Set(link.Conditions{Delay: 20 * time.Millisecond})
	}
	a := d.gateway.play(d.links[0], s.ID, "control")
	a.picture(t, time.Time{})
	c := d.noise(256, 128, 80*time.Millisecond)
	see(c, a, d.links[0], 5*time.Second) // the estimate of the link settles
	d.links[1].SetDownload(link.Conditions{Delay: 20 * time.Millisecond, Rate: 200_000})

	const length, rounds = 10 * time.Second, 3
	alone := func() sight {
		now := see(c, a, d.links[0], length)
		t.Logf("alone:          %v", now)
		require.Greater(t, now.changes, 30)
		return now
	}
	before, verdict := alone(), ""
	for range rounds { // whatever else the machine does disturbs one stretch or the other; a watcher disturbs all of his
		b := d.gateway.play(d.links[1], s.ID, "view")
		with := see(c, a, d.links[0], length)
		t.Logf("with a watcher: %v", with)
		came := b.since(time.Time{})
		t.Logf("the watcher:    %d pictures, asked %d times, %d packets lost to the queue", len(came), b.asked(), d.links[1].Download().Overflowed)
		require.Greater(t, with.changes, 30)
		require.Greater(t, b.asked(), 1, "the watcher was not starved")
		require.LessOrEqual(t, with.idrs, 8, "the watcher has IDRs made")
		if verdict = with.worse(before); verdict == "" {
			d.watcherSees(b)
			break
		}
		b.close()
		require.Eventually(t, func() bool { return len(d.gateway.session(s.ID).Viewers) == 1 }, 2*patience, 100*time.Millisecond, "the watcher does not leave")
		before = alone()
	}
	require.Empty(t, verdict, "a starved watcher changes what the viewer in control gets")
	c.stop()

	d.gateway.terminate(s.ID)
	require.Equal(t, "user_disconnected", d.gateway.ended(s.ID, patience).End.Code)
	r := d.gateway.sealed(s.ID, patience)
	require.InDelta(t, float64(r.DurationMS)/1000, probe(t, d.gateway.export(s.ID)).Seconds(), 0.5)
}

// worse tells by what a sight is more than a tenth worse than another; "" when it is not.
func (s sight) worse(than sight) (verdict string) {
	if s.latency > than.latency*11/10 {
		verdict = fmt.Sprintf("latency %v, %v alone", s.latency, than.latency)
	}
	if share := float64(s.units) / float64(s.changes); share < 0.9*float64(than.units)/float64(than.changes) {
		verdict += fmt.Sprintf(" %d pictures of %d changes, %d of %d alone", s.units, s.changes, than.units, than.changes)
	}
	return verdict
}

// watcherSees waits until a starved watcher has seen another picture, then gives him a good link, on which he must see all.
func (d *farDesk) watcherSees(b *player) {
	d.t.Helper()
	b.picture(d.t, time.Now())
	d.links[1].Set(link.Conditions{Delay: 20 * time.Millisecond})
	require.Eventually(d.t, func() bool {
		from := time.Now()
		time.Sleep(2 * time.Second)
		return len(b.since(from)) >= 16
	}, 3*patience, time.Millisecond, "the watcher does not recover")
}

// TestUDPBlocked shows and takes a session by TCP where no UDP passes.
func TestUDPBlocked(t *testing.T) {
	requireConsole(t)
	d := startFarDesk(t, exactSize, 1)
	typed := d.terminal()
	far := d.browse(exactSize)
	d.links[0].Set(link.Conditions{Delay: 10 * time.Millisecond, BlockUDP: true})
	far.connect()
	far.b.mouse(60, 60, "left")
	far.b.typeText("by TCP alone\n")
	waitFile(t, typed, "by TCP alone\n")
	far.b.mouse(exactSize.X-1, exactSize.Y-1, "")
	far.requireExact("typing")
	require.Positive(t, d.links[0].Upload().Blocked, "the browser tried no UDP")
	far.b.silent()
}

// TestShortOutage cuts the link for three seconds: the same connection goes on.
func TestShortOutage(t *testing.T) {
	d := startFarDesk(t, image.Pt(1024, 768), 1)
	s := d.gateway.connect("desk")
	p := d.gateway.play(d.links[0], s.ID, "control")
	p.picture(t, time.Time{})
	viewers := d.gateway.session(s.ID).Viewers
	require.Len(t, viewers, 1)
	d.noise(64, 64, 100*time.Millisecond)
	p.picture(t, time.Now())
	d.links[0].Set(link.Conditions{Outage: true})
	time.Sleep(3 * time.Second)
	back := time.Now()
	require.Empty(t, p.since(back.Add(-2*time.Second)), "pictures during an outage")
	d.links[0].Set(link.Conditions{})
	p.picture(t, back)
	require.Equal(t, viewers, d.gateway.session(s.ID).Viewers)
	require.Equal(t, "active", d.gateway.session(s.ID).State)
}

// TestLongOutage cuts the link until the viewer counts as gone, and heals it: the page connects again by itself.
func TestLongOutage(t *testing.T) {
	requireConsole(t)
	d := startFarDesk(t, exactSize, 1)
	typed := d.terminal()
	far := d.browse(exactSize)
	far.connect()
	far.b.mouse(60, 60, "left")
	far.b.typeText("before\n")
	waitFile(t, typed, "before\n")
	d.links[0].Set(link.Conditions{Outage: true})
	require.Eventually(t, func() bool { return len(d.gateway.session(far.id).Viewers) == 0 }, 2*patience, 100*time.Millisecond, "the viewer does not leave")
	testbed.Run(t, d.x.Display, "xsetroot", "-solid", "#204060") // what it does not see
	d.links[0].Set(link.Conditions{})
	require.Eventually(t, func() bool { return len(d.gateway.session(far.id).Viewers) == 1 }, 3*patience, 100*time.Millisecond, "the page does not connect again")
	far.b.mouse(60, 60, "left")
	far.b.typeText("after\n")
	waitFile(t, typed, "before\nafter\n")
	far.b.mouse(exactSize.X-1, exactSize.Y-1, "")
	far.requireExact("the outage")
}

package main

import "slices"

// table is a part of what is shown: benchmarks by rows, their figures by columns.
type table struct {
	title   string
	corner  string // what the rows are
	rows    []row
	columns []column
}

type row struct {
	title     string
	benchmark string
}

type column struct {
	title string
	unit  string // as the benchmark reports it
	more  bool   // more is better
}

// layout is all that has a place of its own. Benchmarks it does not know are listed at the end.
var layout = []table{
	{
		title: "One session, recorded, with one Chromium", corner: "workload",
		rows: slices.Concat(
			[]row{{"idle", "Desktop/idle"}, {"typing", "Desktop/typing"}, {"typing, for minutes", "Desktop/typing-long"}},
			[]row{{"scroll", "Desktop/scroll"}, {"drag", "Desktop/drag"}, {"quarter video", "Desktop/video"}},
			[]row{{"idle, xrdp", "Desktop/xrdp/idle"}, {"typing, xrdp", "Desktop/xrdp/typing"}, {"scroll, xrdp", "Desktop/xrdp/scroll"}},
			[]row{{"scroll 20/s, xrdp", "Desktop/xrdp/fast-scroll"}, {"drag, xrdp", "Desktop/xrdp/drag"}, {"quarter video, xrdp", "Desktop/xrdp/video"}},
		),
		columns: []column{
			{title: "cores", unit: "cores"},
			{title: "of them worker", unit: "worker-cores"},
			{title: "serve", unit: "serve-cores"},
			{title: "KB/s", unit: "KB/s"},
			{title: "of them video", unit: "video-KB/s"},
			{title: "patches", unit: "patch-KB/s"},
			{title: "frames/s", unit: "frames/s", more: true},
			{title: "patches/s", unit: "patch-messages/s", more: true},
			{title: "change → pixel p50, ms", unit: "ms-p50"},
			{title: "p95, ms", unit: "ms-p95"},
			{title: "recorded, MB/min", unit: "recorded-MB/min"},
			{title: "worker, MB", unit: "worker-MB"},
			{title: "anonymous", unit: "worker-anon-MB"},
			{title: "serve, MB", unit: "serve-MB"},
			{title: "anonymous", unit: "serve-anon-MB"},
			{title: "rest of the machine, cores", unit: "other-cores"},
		},
	},
	{
		title: "Scrolling sessions at once, each with a plain player", corner: "sessions",
		rows: []row{{"1", "Sessions/1"}, {"2", "Sessions/2"}, {"4", "Sessions/4"}, {"8", "Sessions/8"}, {"12", "Sessions/12"}},
		columns: []column{
			{title: "cores", unit: "cores"},
			{title: "of them workers", unit: "worker-cores"},
			{title: "serve", unit: "serve-cores"},
			{title: "rest of the machine, cores", unit: "other-cores"},
			{title: "frames/s of a session", unit: "frames/s", more: true},
			{title: "change → egress p50, ms", unit: "ms-p50"},
			{title: "p95, ms", unit: "ms-p95"},
			{title: "a worker, MB", unit: "worker-MB"},
			{title: "anonymous", unit: "worker-anon-MB"},
			{title: "serve, MB", unit: "serve-MB"},
			{title: "anonymous", unit: "serve-anon-MB"},
		},
	},
	{
		title: "Viewers of one scrolling session", corner: "viewers",
		rows: []row{{"1", "Viewers/1"}, {"4", "Viewers/4"}, {"8", "Viewers/8"}},
		columns: []column{
			{title: "cores", unit: "cores"},
			{title: "cores for one more viewer", unit: "cores/viewer"},
			{title: "frames/s", unit: "frames/s", more: true},
			{title: "worker, MB", unit: "worker-MB"},
			{title: "anonymous", unit: "worker-anon-MB"},
		},
	},
	{
		title: "A supervisor steps in while text scrolls", corner: "from",
		rows: []row{
			{"click on Freeze", "Supervision/freeze-click"},
			{"POST freeze", "Supervision/freeze-api"},
			{"click on Terminate", "Supervision/terminate-click"},
			{"POST terminate", "Supervision/terminate-api"},
			{"click on Freeze, xrdp", "Supervision/xrdp/freeze-click"},
			{"POST freeze, xrdp", "Supervision/xrdp/freeze-api"},
			{"click on Terminate, xrdp", "Supervision/xrdp/terminate-click"},
			{"POST terminate, xrdp", "Supervision/xrdp/terminate-api"},
		},
		columns: []column{
			{title: "person sees it p50, ms", unit: "ms-p50"},
			{title: "p95, ms", unit: "ms-p95"},
			{title: "nothing reaches the target p50, ms", unit: "target-ms-p50"},
			{title: "p95, ms", unit: "target-ms-p95"},
		},
	},
	{
		title: "The first picture", corner: "from",
		rows: []row{
			{"POST /sessions to egress", "Desktop/first-frame"},
			{"POST /sessions to egress, xrdp", "Desktop/xrdp/first-frame"},
			{"click on Connect to Chromium", "Desktop/connect"},
			{"click on Connect to Chromium, xrdp", "Desktop/xrdp/connect"},
		},
		columns: []column{{title: "median, s", unit: "s-median"}, {title: "worst, s", unit: "s-worst"}},
	},
}

// shown tells whether a figure has a place.
func shown(benchmark, unit string) bool {
	return slices.ContainsFunc(layout, func(t table) bool {
		return t.has(benchmark) && slices.ContainsFunc(t.columns, func(c column) bool { return c.unit == unit })
	})
}

func (t table) has(benchmark string) bool {
	return slices.ContainsFunc(t.rows, func(r row) bool { return r.benchmark == benchmark })
}

package link

import (
	"slices"
	"strings"
)

// Profile is a link with a name.
type Profile struct {
	Name    string
	Summary string
	Spec    string // for ParseSpec
	// Sources tell where each number comes from. What no source gives is
	// named as assumed.
	Sources []string
}

const (
	firefox    = "Firefox developer tools, throttling table, firefox-source-docs.mozilla.org/devtools-user/network_monitor/throttling"
	pagetest   = "WebPageTest, www/settings/connectivity.ini.sample, github.com/catchpoint/WebPageTest"
	starlink   = "Michel et al., A First Look at Starlink Performance, IMC 2022; blog.apnic.net/2022/11/28/fact-checking-starlinks-performance-figures"
	reshuffle  = "Mohan et al., A Multifaceted Look at Starlink Performance, WWW 2024, arXiv:2310.09242"
	rmcat      = "RFC 8867, 5 (test cases for real-time media: 50 ms one way, 300 ms queue, at most 30 ms jitter)"
	cellMedian = "Speedtest Global Index, USA, end of 2022: median mobile 78.9/9.3 Mbit/s, 31 ms; potsandpansbyccg.com/tag/ookla"
)

var profiles = []Profile{
	{
		"lan", "two machines on one Gigabit Ethernet switch",
		"rtt=400us,rate=1gbit,queue=512KiB",
		[]string{
			"rate: IEEE 802.3ab (1000BASE-T)",
			"rtt, queue: assumed, a store-and-forward switch with a shared buffer",
		},
	},
	{
		"wifi", "a good home Wi-Fi, upstream half of downstream",
		"rtt=2ms,jitter=500us,rate=15mbit/30mbit,queue=50ms",
		[]string{"rate, rtt: " + firefox, "jitter, queue: assumed"},
	},
	{
		"dsl", "a DSL line with a slow upstream",
		"rtt=50ms,rate=3mbit/25mbit,queue=200ms",
		[]string{
			"rate: the FCC's fixed-broadband benchmark of 2015 (25/3 Mbit/s), 2015 Broadband Progress Report, FCC 15-10",
			"rtt: " + pagetest,
			"queue: assumed",
		},
	},
	{
		"lte", "a phone on LTE, with the deep queue of a base station",
		"rtt=70ms,jitter=10ms,rate=12mbit,queue=300ms",
		[]string{"rate, rtt: " + pagetest, "queue: " + rmcat, "jitter: assumed, within that RFC's 30 ms"},
	},
	{
		"starlink", "a low-orbit satellite, with a gap at each change of the satellites",
		"rtt=50ms,jitter=5ms,rate=15mbit/150mbit,queue=1bdp,loss=0.1%,outage=50ms:15s",
		[]string{
			"rtt: " + starlink,
			"rate: the middle of 100 to 200 Mbit/s promoted (ibid.), upstream assumed a tenth",
			"period of the outages: " + reshuffle,
			"length of the outages, loss, jitter, queue: assumed",
		},
	},
	{
		"geo", "a geostationary satellite",
		"rtt=600ms,rate=10mbit/100mbit,queue=1bdp",
		[]string{
			"rtt: RFC 2488, 2 (558 ms of propagation), and about 600 ms in " + starlink,
			"rate: the geostationary subscription compared there, 100/10 Mbit/s",
			"queue: assumed",
		},
	},
	{
		"transatlantic", "a server on the other side of the Atlantic",
		"rtt=80ms,rate=100mbit,queue=1bdp",
		[]string{
			"rtt: the cables take 59 to 65 ms between New York and London (thebroadcastbridge.com/content/entry/3988, silicon.co.uk/workspace/new-fibre-optic-cable-to-boost-transatlantic-comms-39424); 15 ms of access at the ends are assumed",
			"rate, queue: assumed",
		},
	},
	{
		"lossy-wifi", "a Wi-Fi at the edge of its range, losing packets in bursts",
		"rtt=10ms,jitter=3ms,rate=15mbit/30mbit,queue=50ms,loss=1%,burst=4",
		[]string{
			"rate: " + firefox,
			"form of the loss: Hasslinger and Hohlfeld, The Gilbert-Elliott Model for Packet Loss in Real Time Services on the Internet, MMB 2008",
			"amount and burst of the loss, rtt, jitter, queue: assumed",
		},
	},
	{
		"camera-uplink", "a camera that sends over a cellular upstream",
		"rtt=100ms,jitter=15ms,rate=9300kbit/78900kbit,queue=300ms",
		[]string{"rtt, jitter, queue: " + rmcat, "rate: " + cellMedian},
	},
}

// Profiles returns the named links.
func Profiles() []Profile { return slices.Clone(profiles) }

func profile(name string) (Profile, bool) {
	i := slices.IndexFunc(profiles, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		return Profile{}, false
	}
	return profiles[i], true
}

func names() []string {
	var out []string
	for _, p := range profiles {
		out = append(out, p.Name)
	}
	return out
}

// Complete returns what may follow the beginning of a description: the profiles
// and the keys with an example, each as "completion\thelp", as shells show
// them. What is already written stays in front.
func Complete(beginning string) []string {
	done, last := "", beginning
	if i := strings.LastIndexByte(beginning, ','); i >= 0 {
		done, last = beginning[:i+1], beginning[i+1:]
	}
	var out []string
	add := func(candidate, help string) {
		if strings.HasPrefix(candidate, last) {
			out = append(out, done+candidate+"\t"+help)
		}
	}
	if done == "" {
		for _, p := range profiles {
			add(p.Name, p.Summary)
		}
	}
	for _, k := range keys {
		if key, _, assigned := strings.Cut(last, "="); assigned && key == k.Name {
			add(k.Name+"="+k.Example, k.Help)
		} else if !strings.Contains(","+done, ","+k.Name+"=") {
			add(k.Name+"=", k.Help)
		}
	}
	return out
}

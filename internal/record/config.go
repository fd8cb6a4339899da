package record

import (
	"slices"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// ConfigID is the document of a config id: what is, or may be, running.
type ConfigID struct {
	Format   int    `json:"format"`
	ConfigID string `json:"config_id"`
	// Launches are those that go on, or may have started a run that nobody
	// knows of.
	Launches []LaunchRef `json:"launches,omitempty"`
	// Identity is what runs of this config id look like.
	Identity *Identity `json:"identity,omitempty"`
	// Overlap is the latest run in front about which the operator was asked.
	Overlap AskedOverlap `json:"overlap,omitzero"`
}

// AskedOverlap is a run that the operator was asked about.
type AskedOverlap struct {
	RunID string `json:"run_id"`
	// Launch is the key of the launch that is held for it; empty once the operator
	// has answered.
	Launch string `json:"launch,omitempty"`
	// At is when the operator was asked, or has answered.
	At time.Time `json:"at"`
}

// Asked reports whether the operator knows about a run: the question about it is
// open, or was answered less than [window.MaxWait] ago.
func (o AskedOverlap) Asked(runID string, now time.Time) bool {
	return o.RunID == runID && (o.Launch != "" || now.Sub(o.At) < window.MaxWait)
}

// LaunchRef is one launch of a config id.
type LaunchRef struct {
	Key string `json:"key"`
	// State is going, started or held. The runs of others wait for a launch
	// that is going, and for a run that was started.
	State string `json:"state"`
	// Last is when the last request was sent that may have started a run.
	Last time.Time `json:"last,omitzero"`
	// RunID is the run that was started.
	RunID string `json:"run_id,omitempty"`
	// Doubt: there may be a run of it that nobody knows of.
	Doubt bool `json:"doubt,omitempty"`
}

// The states of an entry.
const (
	RefGoing   = "going"
	RefStarted = "started"
	RefHeld    = "held"
)

// Identity is what tells the runs of a config id from others.
type Identity struct {
	Name        string           `json:"name"`
	Type        amperity.RunType `json:"type"`
	PrincipalID string           `json:"principal_id"`
	// FormerPrincipalID is that of the runs before the API key was changed.
	FormerPrincipalID string `json:"former_principal_id,omitempty"`
}

func identityOf(run *amperity.Run) *Identity {
	return &Identity{Name: run.Name, Type: run.Type, PrincipalID: run.PrincipalID}
}

const (
	// doubtFor is how long a launch whose run is not known makes the runs of
	// its config id doubtful to others.
	doubtFor = 24 * time.Hour
	// doubtKept is how long the entry of such a launch is kept: as long as the
	// sweep searches for the run of a launch that it makes doubtful.
	doubtKept = 8 * 24 * time.Hour
	// maxEntries bounds the launches of a config id that have started: of those
	// without doubt, the oldest go.
	maxEntries = 50
)

// Set adds or replaces the entry of a launch. A second run of the launch has an
// entry of its own.
func (c *ConfigID) SetLaunch(e LaunchRef) {
	i := slices.IndexFunc(c.Launches, func(o LaunchRef) bool {
		return o.Key == e.Key && (o.State != RefStarted || o.RunID == e.RunID)
	})
	if i >= 0 {
		c.Launches[i] = e
	} else {
		c.Launches = append(c.Launches, e)
	}
}

// Answered notes that the operator has answered for a launch.
func (c *ConfigID) NoteAnswer(key string, now time.Time) {
	if c.Overlap.Launch == key {
		c.Overlap.Launch, c.Overlap.At = "", now
	}
}

// Remove takes out the entry of a launch.
func (c *ConfigID) RemoveLaunch(key string) {
	c.Launches = slices.DeleteFunc(c.Launches, func(e LaunchRef) bool { return e.Key == key })
}

// prune drops what is of no use any more.
func (c *ConfigID) prune(now time.Time) {
	c.Launches = slices.DeleteFunc(c.Launches, func(e LaunchRef) bool {
		return e.State == RefHeld && now.Sub(e.Last) > doubtKept
	})
	for i := 0; i < len(c.Launches) && len(c.Launches) > maxEntries; {
		if e := c.Launches[i]; e.State == RefStarted && (!e.Doubt || now.Sub(e.Last) > doubtKept) {
			c.Launches = slices.Delete(c.Launches, i, i+1)
		} else {
			i++
		}
	}
}

// Doubts reports whether a run found for a launch whose first request was sent
// at a time may be another launch's.
func (c *ConfigID) MayBeAnothers(key string, first time.Time) bool {
	return slices.ContainsFunc(c.Launches, func(e LaunchRef) bool {
		return e.Key != key && e.Doubt && e.Last.Sub(first) >= -doubtFor
	})
}

// saw learns from a run that is certainly of this config id.
func (c *ConfigID) learnIdentity(run *amperity.Run) {
	if run.Name != "" && run.Type != "" && run.PrincipalID != "" {
		now := identityOf(run)
		if was := c.Identity; was != nil {
			now.FormerPrincipalID = was.FormerPrincipalID
			if was.PrincipalID != now.PrincipalID {
				now.FormerPrincipalID = was.PrincipalID
			}
		}
		c.Identity = now
	}
}

// Principals returns the principals that this stack's runs may have: those of the
// config id's runs and that of the control run, which differ after a change of
// the API key.
func (c *ConfigID) Principals(control string) []string {
	var ps []string
	if c.Identity != nil {
		ps = append(ps, c.Identity.PrincipalID)
		if former := c.Identity.FormerPrincipalID; former != "" {
			ps = append(ps, former)
		}
	}
	if control != "" {
		ps = append(ps, control)
	}
	return ps
}

// Fits reports whether a run can be one of the config id's, by its name and
// type. Without an identity any run can.
func (i *Identity) MayMatch(run *amperity.Run) bool {
	return i == nil || (run.Name == "" || run.Name == i.Name) && (run.Type == "" || run.Type == i.Type)
}

// Matches reports whether a run is one of the config id's.
func (i *Identity) Matches(run *amperity.Run, principals []string) bool {
	return run.Name == i.Name && run.Type == i.Type && slices.Contains(principals, run.PrincipalID)
}

// AddRuns notes the runs of a launch. If it has sent further requests, further
// runs of it may exist.
func (c *ConfigID) AddRuns(j *Launch) {
	c.SetLaunch(LaunchRef{Key: j.Key, State: RefStarted, Last: j.LastPost(), RunID: j.Run.ID, Doubt: j.Unaccounted() > 0})
	for _, o := range j.Others {
		if o.Run != nil && o.Hold == 0 { // found just now
			c.SetLaunch(LaunchRef{Key: j.Key, State: RefStarted, Last: j.LastPost(), RunID: o.RunID})
		}
	}
	if !j.Adopted {
		c.learnIdentity(j.Run)
	}
}

// AddDoubt notes a launch that nobody waits for any more.
func (c *ConfigID) AddDoubt(j *Launch) {
	if len(j.Posts) == 0 {
		c.RemoveLaunch(j.Key)
		return
	}
	c.SetLaunch(LaunchRef{Key: j.Key, State: RefHeld, Last: j.LastPost(), Doubt: true})
}

// Unmarked notes that no request of a launch is under way or has started a run. A
// window's launch keeps its place in the queue of the config id.
func (c *ConfigID) NoteUnmarked(j *Launch) {
	if j.Window == "" {
		c.RemoveLaunch(j.Key)
	} else {
		c.SetLaunch(LaunchRef{Key: j.Key, State: RefGoing})
	}
}

// RunEnded drops the entry of a run that has ended, unless the launch may have
// another one.
func (c *ConfigID) RunEnded(e LaunchRef) {
	i := slices.Index(c.Launches, e)
	switch {
	case i < 0:
	case e.Doubt:
		c.Launches[i].State = RefHeld
	default:
		c.Launches = slices.Delete(c.Launches, i, i+1)
	}
}

func DecodeConfigID(item ledger.Item, configID string) (*ConfigID, error) {
	c := &ConfigID{Format: Format, ConfigID: configID}
	if !item.Exists() {
		return c, nil
	}
	if err := Decode(item, c, func() int { return c.Format }); err != nil {
		return nil, err
	}
	return c, nil
}

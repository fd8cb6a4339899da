package record

import (
	"slices"
	"time"

	"github.com/amperity-runs/amperity-runs/internal/ledger"
	"github.com/amperity-runs/amperity-runs/internal/window"
	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// ConfigID is the document of a config id: its launches in progress, and the
// runs that are or may be running.
type ConfigID struct {
	Format   int    `json:"format"`
	ConfigID string `json:"config_id"`
	// Launches are in progress, or have or may have a run.
	Launches []LaunchRef `json:"launches,omitempty"`
	// Identity describes the runs of this config id.
	Identity *Identity `json:"identity,omitempty"`
	// Overlap is the latest run in front that the operator was asked about.
	Overlap AskedOverlap `json:"overlap,omitzero"`
}

// AskedOverlap is a run that the operator was asked about.
type AskedOverlap struct {
	RunID string `json:"run_id"`
	// Launch is the key of the launch that is held for the run. It is empty
	// once the operator has answered.
	Launch string `json:"launch,omitempty"`
	// At is when the operator was asked, or has answered.
	At time.Time `json:"at"`
}

// Asked reports whether the operator knows about a run: a launch is held for
// it, or the operator answered less than [window.MaxWait] ago.
func (o AskedOverlap) Asked(runID string, now time.Time) bool {
	return o.RunID == runID && (o.Launch != "" || now.Sub(o.At) < window.MaxWait)
}

// LaunchRef is one launch of a config id.
type LaunchRef struct {
	Key string `json:"key"`
	// State is going, started or held. Other launches wait for a launch that is
	// going, and for a run that was started.
	State string `json:"state"`
	// Last is when the launch sent its last request that may have started a
	// run.
	Last time.Time `json:"last,omitzero"`
	// RunID is the started run.
	RunID string `json:"run_id,omitempty"`
	// Doubt: the launch may have an unknown run.
	Doubt bool `json:"doubt,omitempty"`
}

// The states of a [LaunchRef].
const (
	RefGoing   = "going"
	RefStarted = "started"
	RefHeld    = "held"
)

// Identity describes the runs of a config id: Amperity's runs do not name it.
type Identity struct {
	Name        string           `json:"name"`
	Type        amperity.RunType `json:"type"`
	PrincipalID string           `json:"principal_id"`
	// FormerPrincipalID is the principal from before the API key changed.
	FormerPrincipalID string `json:"former_principal_id,omitempty"`
}

func identityOf(run *amperity.Run) *Identity {
	return &Identity{Name: run.Name, Type: run.Type, PrincipalID: run.PrincipalID}
}

const (
	// doubtFor is how long after its last request a launch with an unknown run
	// puts the runs of other launches in doubt.
	doubtFor = 24 * time.Hour
	// doubtKept is how long such a launch keeps its entry. That covers the
	// search for the runs of every launch that it puts in doubt.
	doubtKept = 8 * 24 * time.Hour
	// maxEntries bounds the started launches of a config id that are not in doubt:
	// the oldest are dropped.
	maxEntries = 50
)

// SetLaunch adds or replaces the entry of a launch. Each further run of the
// launch has its own entry.
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

// NoteAnswer records that the operator has answered for a launch.
func (c *ConfigID) NoteAnswer(key string, now time.Time) {
	if c.Overlap.Launch == key {
		c.Overlap.Launch, c.Overlap.At = "", now
	}
}

// RemoveLaunch removes the entries of a launch.
func (c *ConfigID) RemoveLaunch(key string) {
	c.Launches = slices.DeleteFunc(c.Launches, func(e LaunchRef) bool { return e.Key == key })
}

// prune drops held launches whose doubt has expired, and the oldest started
// launches without doubt beyond maxEntries. Launches in doubt do not count: the
// latest run stays however many there are, since windows wait for its end.
func (c *ConfigID) prune(now time.Time) {
	c.Launches = slices.DeleteFunc(c.Launches, func(e LaunchRef) bool {
		return e.State == RefHeld && now.Sub(e.Last) > doubtKept
	})
	var certain []LaunchRef
	for _, e := range c.Launches {
		if e.State == RefStarted && (!e.Doubt || now.Sub(e.Last) > doubtKept) {
			certain = append(certain, e)
		}
	}
	if len(certain) <= maxEntries {
		return
	}
	slices.SortStableFunc(certain, func(a, b LaunchRef) int { return b.Last.Compare(a.Last) })
	oldest := certain[maxEntries:]
	c.Launches = slices.DeleteFunc(c.Launches, func(e LaunchRef) bool { return slices.Contains(oldest, e) })
}

// MayBeAnothers reports whether a run found for a launch may belong to another
// launch. first is when the launch sent its first request.
func (c *ConfigID) MayBeAnothers(key string, first time.Time) bool {
	return slices.ContainsFunc(c.Launches, func(e LaunchRef) bool {
		return e.Key != key && e.Doubt && e.Last.Sub(first) >= -doubtFor
	})
}

// learnIdentity updates Identity from a run that certainly belongs to this
// config id.
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

// Principals returns the principals that this stack's runs may have: the config
// id's principals and the control run's. They differ after a change of the API
// key.
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

// MayMatch reports whether the name and type of a run, if known, are those of
// the config id's runs. Without an identity every run may match.
func (i *Identity) MayMatch(run *amperity.Run) bool {
	return i == nil || (run.Name == "" || run.Name == i.Name) && (run.Type == "" || run.Type == i.Type)
}

// Matches reports whether the name, type and principal of a run are those of
// the config id's runs.
func (i *Identity) Matches(run *amperity.Run, principals []string) bool {
	return run.Name == i.Name && run.Type == i.Type && slices.Contains(principals, run.PrincipalID)
}

// AddRuns records the runs of a launch. The entry is in doubt if the launch has
// sent more requests than it has known runs.
func (c *ConfigID) AddRuns(j *Launch) {
	c.SetLaunch(LaunchRef{Key: j.Key, State: RefStarted, Last: j.LastPost(), RunID: j.Run.ID, Doubt: j.Unaccounted() > 0})
	for _, o := range j.Others {
		if o.Run != nil && o.HoldNumber == 0 { // found just now
			c.SetLaunch(LaunchRef{Key: j.Key, State: RefStarted, Last: j.LastPost(), RunID: o.RunID})
		}
	}
	if !j.Adopted {
		c.learnIdentity(j.Run)
	}
}

// AddDoubt records a launch that may have an unknown run and that no other
// launch waits for any longer. A launch without such a request is removed.
func (c *ConfigID) AddDoubt(j *Launch) {
	if len(j.Posts) == 0 {
		c.RemoveLaunch(j.Key)
		return
	}
	c.SetLaunch(LaunchRef{Key: j.Key, State: RefHeld, Last: j.LastPost(), Doubt: true})
}

// NoteUnmarked records that no request of a launch is in flight or has started
// a run. A window's launch keeps its place in the queue of the config id.
func (c *ConfigID) NoteUnmarked(j *Launch) {
	if j.Window == "" {
		c.RemoveLaunch(j.Key)
	} else {
		c.SetLaunch(LaunchRef{Key: j.Key, State: RefGoing})
	}
}

// RunEnded drops the entry of a run that has ended. If the launch may have
// another run, the entry becomes held.
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

// DecodeConfigID decodes the document of a config id. An item that does not
// exist yet is an empty document.
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

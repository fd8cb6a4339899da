package launch

import "log/slog"

// Windows takes files into windows, and launches the windows that are due. It is
// safe for concurrent use, in any number of processes.
type Windows struct {
	launches *Launcher
	store    *Store
	runs     *Client
	clock    Clock
	logger   *slog.Logger
	tenant   string
	paused   bool
	routes   Routes
}

// Routes returns what the routes say now of a window; false: none has it.
type Routes func(configID, period string) (Window, bool)

// NewWindows returns Windows whose launches a Launcher carries out. [Windows.Due]
// needs routes; nil stands for none.
func NewWindows(l *Launcher, routes Routes) *Windows {
	return &Windows{l, l.store, l.runs, l.Clock, l.Logger, l.Tenant, l.Paused, routes}
}

// Resolver carries out what the operator answers for held launches and waiting
// windows.
type Resolver struct {
	launches *Launcher
	windows  *Windows
	store    *Store
	runs     *Client
	clock    Clock
}

// NewResolver returns a Resolver for the launches of a Launcher and its Windows.
func NewResolver(l *Launcher, w *Windows) *Resolver {
	return &Resolver{l, w, l.store, l.runs, l.Clock}
}

// Unrouted counts and announces files that no route matches.
type Unrouted struct {
	launches *Launcher
	store    *Store
	clock    Clock
	logger   *slog.Logger
	tenant   string
}

// NewUnrouted returns Unrouted.
func NewUnrouted(l *Launcher) *Unrouted {
	return &Unrouted{l, l.store, l.Clock, l.Logger, l.Tenant}
}

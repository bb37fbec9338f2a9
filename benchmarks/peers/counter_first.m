-- specs/counter_first.c for Rumur: `coverage` and `cache_sound`, all interleavings.
--
-- The benchmark sets VCPUS, LOADS (each) and FLUSHES (by one flusher). The code's critical sections
-- are one step each, as the lock allows; entry and return of an operation are steps of their own.
-- Failures of hypercalls are free. counter_first_nolock.m has the steps within the sections.
--
-- No more than VCPUS + 1 roots are alive at a time. Roots are interchangeable, and so are vCPUs:
-- the walk goes by their order, but a whole walk leaves the same cache in any order, and which roots
-- it has flushed counts only where it has flushed them all (after a failure `missed` is cleared).

const
	VCPUS: 2;
	LOADS: 2;
	FLUSHES: 2;

type
	vcpu_t: scalarset(VCPUS);
	root_t: scalarset(VCPUS + 1);
	load_t: enum { IDLE, ENTERED, LOADED };
	flush_t: enum { OUTSIDE, INSIDE, DONE };
	cache_t: enum { ZERO, INVALID, ROOT };

var
	at: array [vcpu_t] of load_t;
	loads: array [vcpu_t] of 0..LOADS;
	own: array [vcpu_t] of root_t; -- undefined: INVALID_PAGE
	cached: cache_t;
	cache: root_t; -- where `cached` is ROOT

	flusher: flush_t;
	flushes: 0..FLUSHES;
	failed: boolean;

	runs_on: array [vcpu_t] of root_t; -- undefined: outside the guest
	missed: array [vcpu_t] of boolean; -- ran on its root since the call's entry, not yet flushed

-- A successful hypercall flushes the root of every vCPU that runs on it.
procedure flush_root(r: root_t);
begin
	for v: vcpu_t do
		if !isundefined(runs_on[v]) & runs_on[v] = r then
			missed[v] := false;
		end;
	end;
end;

-- The walk. Its `fails`-th hypercall fails; 0: none does.
procedure walk(fails: 0..VCPUS);
var
	nr_roots: 0..VCPUS;
	calls: 0..VCPUS;
begin
	nr_roots := 0;
	calls := 0;
	for v: vcpu_t do
		if !isundefined(own[v]) & !(cached = ROOT & cache = own[v]) & !(failed & nr_roots > 1) then
			nr_roots := nr_roots + 1;
			if nr_roots = 1 then
				cached := ROOT;
				cache := own[v];
			end;
			if !failed then
				calls := calls + 1;
				if calls = fails then
					failed := true;
				else
					flush_root(own[v]);
				end;
			end;
		end;
	end;
	if nr_roots > 1 then
		cached := INVALID;
		undefine cache;
	end;
end;

startstate
begin
	for v: vcpu_t do
		at[v] := IDLE;
		loads[v] := 0;
		undefine own[v];
		undefine runs_on[v];
		missed[v] := false;
	end;
	cached := ZERO;
	undefine cache;
	flusher := OUTSIDE;
	flushes := 0;
	failed := false;
end;

ruleset v: vcpu_t do
	rule "a load begins"
		at[v] = IDLE & loads[v] < LOADS
	==>
	begin
		at[v] := ENTERED;
		loads[v] := loads[v] + 1;
		undefine runs_on[v];
		missed[v] := false;
	end;

	ruleset r: root_t do
		rule "section of a load"
			at[v] = ENTERED
		==>
		begin
			at[v] := LOADED;
			own[v] := r;
			cached := INVALID;
			undefine cache;
		end;
	end;

	rule "a load returns"
		at[v] = LOADED
	==>
	begin
		at[v] := IDLE;
		runs_on[v] := own[v];
	end;
end;

rule "a flush begins"
	flusher = OUTSIDE & flushes < FLUSHES
==>
begin
	flusher := INSIDE;
	flushes := flushes + 1;
	for v: vcpu_t do
		missed[v] := !isundefined(runs_on[v]);
	end;
end;

ruleset fails: 0..VCPUS do
	rule "section of a flush"
		flusher = INSIDE
	==>
	begin
		flusher := DONE;
		if cached = INVALID then
			walk(fails);
		elsif fails = 1 then
			failed := true;
		elsif cached = ROOT then
			flush_root(cache);
		end;
		if failed then
			for v: vcpu_t do
				missed[v] := false;
			end;
		end;
	end;
end;

rule "a flush returns"
	flusher = DONE
==>
begin
	for v: vcpu_t do
		assert failed | !missed[v] "coverage";
	end;
	for v: vcpu_t do
		missed[v] := false;
	end;
	flusher := OUTSIDE;
	failed := false;
end;

invariant "cache_sound"
	cached = INVALID | forall v: vcpu_t do
		isundefined(runs_on[v]) | (cached = ROOT & cache = runs_on[v])
	end;

-- specs/counter_first.c without the lock in the load, for Rumur: a violation has to be found.
--
-- The benchmark sets VCPUS, LOADS (each) and FLUSHES (by one flusher). Every access to a shared
-- field is a step, and so are entry, return and hypercall, which fails freely: atomic sections would
-- hide exactly this error. vCPUs are walked in their order, so that only roots are interchangeable.

const
	VCPUS: 2;
	LOADS: 2;
	FLUSHES: 2;

type
	vcpu_t: 0..VCPUS - 1;
	root_t: scalarset(VCPUS + 1);
	load_t: enum { IDLE, ENTERED, STORED, LOADED };
	flush_t: enum {
		OUTSIDE, ENTRY, IN_USE, NEXT, COMPARE, STORE, CALL, AFTER, FORGET, UNLOCK, DONE
	};
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
	walking: boolean;
	nr_roots: 0..VCPUS;
	i: 0..VCPUS;
	root: root_t; -- undefined: not a root

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
	walking := false;
	nr_roots := 0;
	i := 0;
	undefine root;
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
		rule "a load stores its root"
			at[v] = ENTERED
		==>
		begin
			at[v] := STORED;
			own[v] := r;
		end;
	end;

	rule "a load invalidates the cache"
		at[v] = STORED
	==>
	begin
		at[v] := LOADED;
		cached := INVALID;
		undefine cache;
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
	flusher := ENTRY;
	flushes := flushes + 1;
	for v: vcpu_t do
		missed[v] := !isundefined(runs_on[v]);
	end;
end;

rule "is the cache in use?"
	flusher = ENTRY
==>
begin
	walking := cached = INVALID;
	flusher := walking ? NEXT : IN_USE;
end;

rule "read the cache that is in use"
	flusher = IN_USE
==>
begin
	if cached = ROOT then
		root := cache;
	end;
	flusher := CALL;
end;

rule "read the root of the next vCPU"
	flusher = NEXT & i < VCPUS
==>
begin
	if !isundefined(own[i]) then
		root := own[i];
		flusher := COMPARE;
	end;
	i := i + 1;
end;

rule "compare with the cache"
	flusher = COMPARE
==>
begin
	if cached = ROOT & cache = root then
		flusher := AFTER;
	else
		nr_roots := nr_roots + 1;
		if nr_roots = 1 then
			flusher := STORE;
		elsif failed then
			flusher := AFTER;
		else
			flusher := CALL;
		end;
	end;
end;

rule "store the first root"
	flusher = STORE
==>
begin
	cached := ROOT;
	cache := root;
	flusher := CALL;
end;

ruleset fails: boolean do
	rule "hypercall"
		flusher = CALL
	==>
	begin
		if fails then
			failed := true;
		elsif !isundefined(root) then
			flush_root(root);
		end;
		flusher := walking ? AFTER : UNLOCK;
	end;
end;

rule "leave the walk or go on"
	flusher = AFTER
==>
begin
	undefine root;
	if failed & nr_roots > 1 then
		flusher := FORGET;
	else
		flusher := NEXT;
	end;
end;

rule "the walk is over"
	flusher = NEXT & i = VCPUS
==>
begin
	flusher := nr_roots > 1 ? FORGET : UNLOCK;
end;

rule "invalidate the cache"
	flusher = FORGET
==>
begin
	cached := INVALID;
	undefine cache;
	flusher := UNLOCK;
end;

rule "unlock"
	flusher = UNLOCK
==>
begin
	flusher := DONE;
	walking := false;
	nr_roots := 0;
	i := 0;
	undefine root;
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
	cached = INVALID | (flusher != OUTSIDE & flusher != ENTRY & flusher != DONE) |
	forall v: vcpu_t do
		isundefined(runs_on[v]) | (cached = ROOT & cache = runs_on[v])
	end;

/*
 * specs/counter_first.c for Spin: `coverage` and `cache_sound`, all interleavings.
 *
 * VCPUS, LOADS (each) and FLUSHES (by one flusher) are given with -D. The code's critical sections
 * are one step each, as the lock allows; entry and return of an operation are steps of their own.
 * With -DNOLOCK the load takes no lock, and every access of every section is a step: an atomic
 * section would hide exactly this error. Failures of hypercalls are free.
 *
 * No more than VCPUS + 1 roots are alive at a time, in `own` and in `cache`. A load takes one of
 * these or the least that is none of them: which of the others it is makes no difference, and
 * leaving them out spares Spin the permutations of the roots.
 */

#define NONE    0 /* as a vCPU's hardware root: outside the guest */
#define ZERO    0 /* as the cache: what it is at boot, a valid page on which no vCPU runs */
#define INVALID 1
#define FIRST   2 /* the least root; the last is VCPUS + 2 */

#ifdef NOLOCK
#define SECTION
#define LOAD_LOCK   skip
#define LOAD_UNLOCK skip
#else
#define SECTION     atomic
#define LOAD_LOCK   lock()
#define LOAD_UNLOCK unlock()
#endif

bool locked;
byte own[VCPUS] = INVALID;
byte cache = ZERO;

byte runs_on[VCPUS] = NONE;
bool missed[VCPUS]; /* ran on its root since the call was entered, which is not yet flushed */

inline lock()
{
	atomic { !locked -> locked = true }
}

inline unlock()
{
	atomic { locked = false; cache_sound() }
}

inline cache_sound()
{
	d_step {
		w = 0;
		do
		:: w < VCPUS ->
			assert(locked || cache == INVALID || runs_on[w] == NONE || cache == runs_on[w]);
			w++
		:: else -> break
		od;
		w = 0
	}
}

/* Set r to a root that another vCPU or the cache has, or to the least that none of them has. */
inline choose(r)
{
	d_step {
		live = (cache >= FIRST -> 1 << cache : 0);
		w = 0;
		do
		:: w < VCPUS -> live = live | (w != v && own[w] >= FIRST -> 1 << own[w] : 0); w++
		:: else -> break
		od;
		fresh = FIRST;
		do
		:: live & (1 << fresh) -> fresh++
		:: else -> break
		od
	}
	r = FIRST;
	do
	:: (live & (1 << r)) || r == fresh -> break
	:: (live >> (r + 1)) || r < fresh -> r++
	od;
	live = 0;
	fresh = 0;
	w = 0
}

/* A successful hypercall flushes the root of every vCPU that runs on it. */
inline hypercall(r)
{
	atomic {
		if
		:: ret = 1
		:: d_step {
			w = 0;
			do
			:: w < VCPUS -> missed[w] = missed[w] && runs_on[w] != r; w++
			:: else -> break
			od;
			w = 0
		   }
		fi
	}
}

proctype load(byte v)
{
	byte left = LOADS, root, fresh, w;
	short live;

	do
	:: left > 0 ->
		atomic {
			left--;
			runs_on[v] = NONE;
			missed[v] = false;
			cache_sound()
		}
		SECTION {
			LOAD_LOCK;
			atomic { choose(root); own[v] = root; cache_sound() };
			atomic { cache = INVALID; cache_sound() };
			LOAD_UNLOCK
		};
		atomic { runs_on[v] = root; root = 0; cache_sound() }
	:: else -> break
	od
}

proctype flush()
{
	byte left = FLUSHES, ret, nr_roots, root, i, w;

	do
	:: left > 0 ->
		d_step {
			left--;
			w = 0;
			do
			:: w < VCPUS -> missed[w] = runs_on[w] != NONE; w++
			:: else -> break
			od;
			w = 0
		}
		SECTION {
			lock();
			if
			:: cache == INVALID ->
				do
				:: i < VCPUS ->
					root = own[i];
					i++;
					if
					:: root != INVALID && root != cache ->
						nr_roots++;
						if
						:: nr_roots == 1 -> cache = root
						:: else
						fi;
						if
						:: !ret -> hypercall(root)
						:: else
						fi;
						if
						:: ret && nr_roots > 1 -> break
						:: else
						fi
					:: else
					fi
				:: else -> break
				od;
				if
				:: nr_roots > 1 -> cache = INVALID
				:: else
				fi
			:: else -> root = cache; hypercall(root)
			fi;
			atomic { nr_roots = 0; root = 0; i = 0; unlock() }
		};
		d_step {
			w = 0;
			do
			:: w < VCPUS -> assert(ret || !missed[w]); missed[w] = false; w++
			:: else -> break
			od;
			w = 0;
			ret = 0
		}
	:: else -> break
	od
}

init
{
	byte n;

	atomic {
		do
		:: n < VCPUS -> run load(n); n++
		:: else -> break
		od;
		n = 0;
		run flush()
	}
}

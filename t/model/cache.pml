/*
 * One set of src/store/cache.c: two writers, a reader, and the master that sweeps for the dead.
 * Checked by t/04-model.t, in three configurations:
 *
 *   (none)          writers look for their key as cache_put() does. No reader: it would change
 *                   nothing that they see.
 *   -DREAD          a reader as in cache_find(). Writers take any key to any way, which is more
 *                   than a search could lead them to.
 *   -DREAD -DHINT   a reader as in cache_read(), with a hint that was right when it was taken.
 *
 * What is bounded: WRITES (claims in all, by whomever), KEYS, KILLS, two ways. What is not: how
 * often anybody tries, and who does what when.
 *
 * Memory. A statement is what happens to memory at once. Between two fences a process's loads,
 * and a writer's stores, happen in any order, and any of them late; what a fence forbids is a
 * condition at the load or store that may not pass it. A store is there for everybody once it is
 * there for anybody, as on x86, ARMv8 and RISC-V.
 *
 * Nobody waits: nothing but a new process's start has a condition on what others do, and that
 * no state is without a next step is what the checker looks for by itself.
 *
 * Stamps and the hand have no part in it: the way to evict is any way. Nor do two words of a
 * key, which are torn no otherwise than a value's.
 *
 * -DMUTANT_...: a step left out or misplaced. Each must break a property; see t/04-model.t.
 */

#ifndef WRITES
#define WRITES 3
#endif
#ifndef KEYS
#define KEYS 2 /* 1 to 3 */
#endif
#ifndef KILLS
#define KILLS 2
#endif

/* The properties, by names that the checker's complaint has in it. -DONLY=NUMBER: no other. */
#define NUMBER_whole 1
#define NUMBER_latest 2
#define NUMBER_tidy 3
#define NUMBER_once 4
#define NUMBER_owned 5
#define NUMBER_unclaimed 6
bool whole;     /* what a reader accepted is of one write, and of the key asked for */
bool latest;    /* ... and is what the set has at that instant */
bool tidy;      /* a way is empty or of one write, while the word is even */
bool once;      /* no key is in two ways, while the word is even */
bool owned;     /* nobody but its owner, or the sweep for that one, touches an odd word */
bool unclaimed; /* no claim outlives the sweep for its owner */
#ifdef ONLY
#define HOLDS(property, that) property = (ONLY != NUMBER_##property || (that)); assert(property); property = false
#else
#define HOLDS(property, that) property = (that); assert(property); property = false
#endif

/* The word: {sequence: 5 bits, owner: 2, way: 1}. */
#define SEQUENCE_ONE 8
#define OWNER_ONE 2
#define is_odd(w) (((w) & SEQUENCE_ONE) != 0)
#define owner_of(w) (((w) / OWNER_ONE) & 3)
#define way_of(w) ((w) & 1)
#define released(w) (((w) / SEQUENCE_ONE + 1) * SEQUENCE_ONE)
#define writes_of(w) ((w) / (2 * SEQUENCE_ONE))

/* struct set. A tag is its key's number; 0: empty. A value has two words, both made of the
 * number of the write and the key. */
byte word;
byte tags[2], keys[2], firsts[2], seconds[2];
#define value_of(w, key) (writes_of(w) * 4 + (key))
#define key_in(value) ((value) & 3)
#define is_empty(way) (tags[way] == 0)
#ifdef READ
#define is_filled(way) \
    (tags[way] == keys[way] && keys[way] == key_in(firsts[way]) && firsts[way] == seconds[way])
#else
#define is_filled(way) (tags[way] == keys[way])
#endif
#define is_tidy(way) (is_empty(way) || is_filled(way))
#define key_twice (!is_empty(0) && tags[0] == keys[0] && tags[1] == tags[0] && keys[1] == keys[0])

/* Of writers, by the owner's number, 1 or 2. */
mtype = { RUNNING, KILLED, DEAD, FINISHED };
mtype state[3] = RUNNING;
byte kills;

/* Which stores of step (4) are yet to be done. */
#define TAG 1
#define KEY 2
#define FIRST 4
#define SECOND 8
#ifdef READ
#define ALL (TAG | KEY | FIRST | SECOND)
#else
#define ALL (TAG | KEY)
#endif

#ifdef MUTANT_NO_CLAIM_FENCE
/* A swap that has succeeded but is not seen yet; another's swap does not come between. */
byte swapping; /* whose */
#define may_swap (swapping == 0)
#define swapped (swapping != me)
#else
#define may_swap true
#define swapped true
#endif

/* Options: the stores of a writer, in any order. */
#define STORES \
    :: d_step { pending & TAG -> tags[way] = key; pending = pending & ~TAG } \
    :: d_step { pending & KEY -> keys[way] = key; pending = pending & ~KEY } \
    :: d_step { pending & FIRST -> firsts[way] = value_of(claimed, key); pending = pending & ~FIRST } \
    :: d_step { pending & SECOND -> seconds[way] = value_of(claimed, key); pending = pending & ~SECOND }

inline forget()
{
    d_step { saw = 0; claimed = 0; way = 0; key = 0; pending = 0; looked = 0 }
}

/* search() of a writer: loads of tags and keys of all ways, in any order. Where one does not
 * match, the other needs no look. */
#define LOOKED_TAG(way) (1 << (2 * (way)))
#define LOOKED_KEY(way) (2 << (2 * (way)))
#define OTHER(way) (16 << (way)) /* not our key */
#define LOOK(at, bit, what) \
    :: d_step { !(looked & (bit)) -> \
        if \
        :: what[at] == key -> looked = looked | (bit) \
        :: else -> looked = looked | LOOKED_TAG(at) | LOOKED_KEY(at) | OTHER(at) \
        fi }

inline search()
{
    do
    LOOK(0, LOOKED_TAG(0), tags)
    LOOK(0, LOOKED_KEY(0), keys)
    LOOK(1, LOOKED_TAG(1), tags)
    LOOK(1, LOOKED_KEY(1), keys)
    :: atomic { (looked & 15) == 15 ->
        /* The first that holds the key; else victim(): any. */
        if
        :: !(looked & OTHER(0)) -> way = 0
        :: (looked & OTHER(0)) && !(looked & OTHER(1)) -> way = 1
        :: (looked & OTHER(0)) && (looked & OTHER(1)) -> way = 0
        :: (looked & OTHER(0)) && (looked & OTHER(1)) -> way = 1
        fi;
        looked = 0; break }
    od
}

inline pick_key()
{
    if
    :: key = 1
#if KEYS >= 2
    :: key = 2
#endif
#if KEYS >= 3
    :: key = 3
#endif
    fi
}

/* A writer ends when no more can be written, and gives up where another one is writing. */
#define LEAVE_IF_IN_VAIN \
    HOLDS(unclaimed, !is_odd(saw) || owner_of(saw) != me); \
    if \
    :: writes_of(saw) == WRITES && state[me] == RUNNING -> forget(); state[me] = FINISHED; goto finished \
    :: writes_of(saw) == WRITES && state[me] != RUNNING -> forget(); goto put \
    :: is_odd(saw) -> forget(); goto put \
    :: else \
    fi

/* A process that calls cache_put again and again; and after its death, once it has been swept
 * for, the next one with its number. */
proctype writer(byte me)
{
    byte saw, claimed, way, key, pending, looked;

life:
    {
        skip;
put:
#ifndef READ
        pick_key();
#ifdef MUTANT_LATE_CHOICE
        search();
#endif
        /* (1) */
        atomic {
            saw = word;
            LEAVE_IF_IN_VAIN
        }
        /* (2) */
#ifndef MUTANT_LATE_CHOICE
        search();
#endif
        /* (3): claim() */
        atomic {
            if
            :: word != saw -> forget(); goto put
            :: else
            fi;
            pending = ALL;
#else
        /* (1) to (3) in one: what comes between has no effect, and if another one is there
         * between, this put has none either. */
        atomic { may_swap ->
            saw = word;
            LEAVE_IF_IN_VAIN;
            pick_key();
            if
            :: way = 0; pending = ALL
            :: way = 1 /* of which the reader sees the word only */
            fi;
#endif
            claimed = released(saw) + me * OWNER_ONE + way;
            saw = 0;
#ifdef MUTANT_NO_CLAIM_FENCE
            swapping = me
#else
            word = claimed
#endif
        }
        /* (4) and (5): release() */
        do
        STORES
#ifdef MUTANT_NO_CLAIM_FENCE
        :: d_step { swapping == me -> word = claimed; swapping = 0 }
#endif
#ifdef MUTANT_NO_RELEASE_FENCE
        :: d_step { word == claimed -> word = released(claimed) }
        :: atomic { pending == 0 && word != claimed -> forget(); goto put }
#else
        :: atomic { pending == 0 && swapped ->
            HOLDS(owned, word == claimed);
            if
            :: word == claimed ->
                word = released(claimed);
                HOLDS(tidy, is_tidy(0) && is_tidy(1));
#ifndef READ
                HOLDS(once, !key_twice)
#endif
            :: else
            fi;
            forget(); goto put }
#endif
        od
    } unless {
        /* Killed. What was under way may still take effect, until waitpid() returns. */
        state[me] == KILLED;
#ifdef MUTANT_STORES_AFTER_WAIT
        state[me] = DEAD;
#endif
        do
        STORES
        :: break
        od;
        forget();
#ifndef MUTANT_STORES_AFTER_WAIT
        state[me] = DEAD;
#endif
#ifndef MUTANT_ID_REUSE
        /* The number is free again. Not a wait of the protocol: this is a new process. */
        state[me] != DEAD;
#endif
        goto life
    };
finished:
    skip
}

/* cache_sweep(cache, ${owner}), after the wait for it. */
inline sweep(owner)
{
    saw = word;
    if
    :: atomic { is_odd(saw) && owner_of(saw) == owner ->
#ifndef MUTANT_NOT_EMPTIED
        tags[way_of(saw)] = 0
#endif
        };
        d_step {
            HOLDS(owned, word == saw);
            if
            :: word == saw ->
#ifndef MUTANT_NOT_RELEASED
                word = released(saw);
#endif
                HOLDS(tidy, is_tidy(0) && is_tidy(1));
#ifndef READ
                HOLDS(once, !key_twice)
#endif
            :: else
            fi
        }
    :: else
    fi;
    atomic {
        saw = 0;
        HOLDS(unclaimed, !is_odd(word) || owner_of(word) != owner);
        state[owner] = RUNNING
    }
}

#ifdef READ
/* cache_find() and cache_read(): the loads of one try, in any order but for the fences. Of ways
 * only the one where the key will be found is looked at, way 0: that it is in no other before
 * is one more condition, which need not hold here. Tries do not know of each other, and
 * a miss is always right. */
#define WORD 16
#define AGAIN 32
#define COPIED (TAG | KEY | FIRST | SECOND)
#define not_yet(bit) ((loads & (bit)) == 0)
#define done(bits) ((loads & (bits)) == (bits))
#ifdef MUTANT_NO_FIRST_FENCE
#define after_first_fence true
#else
#define after_first_fence done(WORD)
#endif
#ifdef MUTANT_NO_SECOND_FENCE
#define after_second_fence true
#else
#define after_second_fence done(COPIED)
#endif

/* Of the copy, ${value} is what was loaded first; what does not go with the rest spoils it,
 * whatever its rest. */
#define LOAD(bit, what) \
    :: d_step { not_yet(bit) && after_first_fence -> \
        if \
        :: what[0] == 0 || (value != 0 && what[0] != value) || \
            (key != 0 && key != key_in(what[0])) -> SPOIL \
        :: else -> value = what[0]; loads = loads | (bit) \
        fi }
#define SPOIL spoilt = true; value = 0; loads = loads | FIRST | SECOND
#ifdef HINT
#define begins(w) ((w) == hint)
#else
#define begins(w) (!is_odd(w))
/* Which key is looked for need not be known before one is seen. */
#define LOAD_KEY(bit, what) \
    :: atomic { not_yet(bit) && after_first_fence -> \
        if \
        :: what[0] == 0 || (key != 0 && what[0] != key) -> break \
        :: else -> \
            if \
            :: value != 0 && key_in(value) != what[0] -> SPOIL \
            :: else \
            fi; \
            key = what[0]; \
            loads = loads | (bit) \
        fi }
#endif

#ifdef HINT
#define LATEST skip
#else
#define LATEST HOLDS(latest, !done(COPIED) || spoilt || (tags[0] == key && firsts[0] == value))
#endif

active proctype reader()
{
    byte saw, key, value, loads;
    bool spoilt;
#ifdef HINT
    byte hint, hinted;
#endif

    do
    :: atomic {
        /* One try. */
#ifdef HINT
        /* With a hint from cache_find() or cache_put(), new or kept. */
        if
        :: !is_odd(word) && !is_empty(0) -> hint = word; hinted = firsts[0]
        :: hint != 0
        fi;
        loads = TAG | KEY
#else
        skip
#endif
        };
        do
        :: atomic { not_yet(WORD) ->
            if
            :: begins(word) -> saw = word; loads = loads | WORD
            :: else -> break
            fi }
#ifndef HINT
        LOAD_KEY(TAG, tags)
        LOAD_KEY(KEY, keys)
#endif
        LOAD(FIRST, firsts)
        LOAD(SECOND, seconds)
#ifdef MUTANT_NO_RECHECK
        :: d_step { not_yet(AGAIN) && done(WORD | COPIED) -> loads = loads | AGAIN; LATEST }
#else
        :: atomic { not_yet(AGAIN) && done(WORD) && after_second_fence ->
            if
            :: word == saw -> loads = loads | AGAIN
            :: else -> break
            fi;
            LATEST }
#endif
        :: d_step { done(WORD | COPIED | AGAIN) ->
            /* Accepted. */
#ifdef HINT
            HOLDS(whole, !spoilt && value == hinted)
#else
            HOLDS(whole, !spoilt)
#endif
            } -> break
        od;
        atomic { saw = 0; key = 0; value = 0; spoilt = false; loads = 0 }
    :: break
    od
}
#endif

/* The master; and whoever kills. */
#define KILL(owner) d_step { kills < KILLS && state[owner] == RUNNING -> kills++; state[owner] = KILLED }
active proctype master()
{
    byte saw;

    atomic {
        run writer(1);
        run writer(2)
    };
    do
    :: KILL(1)
    :: KILL(2)
    :: state[1] == DEAD -> sweep(1)
    :: state[2] == DEAD -> sweep(2)
    :: state[1] == FINISHED && state[2] == FINISHED -> break
    od
}

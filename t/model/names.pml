/*
 * src/store/names.c: two processes that ask for numbers of two names, which begin at the same
 * place of a table of two, and the master that sweeps for the dead. Checked by t/04-model.t;
 * what cache.pml says of memory, kills and mutants is so here too.
 */

#ifndef KILLS
#define KILLS 2
#endif

/* The properties, by names that the checker's complaint has in it. -DONLY=NUMBER: no other. */
#define NUMBER_whole 1
#define NUMBER_once 2
#define NUMBER_owned 3
#define NUMBER_unclaimed 4
bool whole;     /* the bytes of a done entry are all there */
bool once;      /* no name has two numbers */
bool owned;     /* nobody but its owner, or the sweep for that one, touches a claimed entry */
bool unclaimed; /* no claim outlives the sweep for its owner */
#ifdef ONLY
#define HOLDS(property, that) property = (ONLY != NUMBER_##property || (that)); assert(property); property = false
#else
#define HOLDS(property, that) property = (that); assert(property); property = false
#endif

/* The word: {name's hash and length: here the name, 1 or 2; owner: 1 or 2; state}. */
#define EMPTY 0
#define CLAIMED 1
#define DONE 2
#define state_of(w) ((w) & 3)
#define owner_of(w) (((w) >> 2) & 3)
#define word_of(name, owner, state) ((name) << 4 | (owner) << 2 | (state))

/* struct names_entry. The bytes are two words, both with the name in them. */
#define COUNT 2
byte words[COUNT], firsts[COUNT], seconds[COUNT];

/* Of processes, by the owner's number, 1 or 2. */
mtype = { RUNNING, KILLED, DEAD };
mtype state[3] = RUNNING;
byte kills;

/* Which bytes are yet to be stored, or were loaded. */
#define FIRST 1
#define SECOND 2
#define ALL 3

/* write_bytes(), in any order. */
#define STORES \
    :: d_step { pending & FIRST -> firsts[place] = name; pending = pending & ~FIRST } \
    :: d_step { pending & SECOND -> seconds[place] = name; pending = pending & ~SECOND }

inline forget()
{
    d_step { word = 0; name = 0; place = 0; pending = 0; loads = 0 }
}

/* A process that calls names_id() again and again; and after its death, once it has been swept
 * for, the next one with its number. */
proctype asker(byte me)
{
    byte word, name, place, pending, loads;

life:
    {
        skip;
again:
        if
        :: name = 1
        :: name = 2
        fi;
        /* From its home, 0, on. */
        do
        :: atomic { place == COUNT -> break }
        :: atomic { place < COUNT ->
            word = words[place];
            HOLDS(unclaimed, state_of(word) != CLAIMED || owner_of(word) != me);
            if
            :: state_of(word) == EMPTY -> goto add
#ifdef MUTANT_PASS_CLAIMED
            :: state_of(word) == CLAIMED -> word = 0; place++
#else
            :: state_of(word) == CLAIMED -> break
#endif
            :: state_of(word) == DONE && word != word_of(name, 0, DONE) -> word = 0; place++
            :: word == word_of(name, 0, DONE) -> word = 0; goto compare
            fi }
        od;
        forget();
        goto again;

compare:
        /* The bytes, after the word. */
        if
        :: d_step { firsts[place] == name -> loads = FIRST }
        :: d_step { seconds[place] == name -> loads = SECOND }
        :: d_step { firsts[place] != name || seconds[place] != name -> HOLDS(whole, false) }
        fi;
        atomic {
            HOLDS(whole, (loads == FIRST && seconds[place] == name) || (loads == SECOND && firsts[place] == name));
            forget();
            goto again
        };

add:
        atomic {
            word = 0;
            if
            :: words[place] == 0 -> words[place] = word_of(name, me, CLAIMED); pending = ALL
            :: else -> forget(); goto again
            fi
        };
        do
        STORES
#ifdef MUTANT_NO_RELEASE_FENCE
        :: d_step { words[place] == word_of(name, me, CLAIMED) -> words[place] = word_of(name, 0, DONE) }
        :: atomic { pending == 0 && words[place] != word_of(name, me, CLAIMED) -> forget(); goto again }
#else
        :: atomic { pending == 0 ->
            HOLDS(owned, words[place] == word_of(name, me, CLAIMED));
            if
            :: words[place] == word_of(name, me, CLAIMED) ->
                words[place] = word_of(name, 0, DONE);
                HOLDS(once, words[0] != words[1]);
                HOLDS(whole, firsts[place] == name && seconds[place] == name)
            :: else
            fi;
            forget();
            goto again }
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
    }
}

/* names_sweep(names, ${owner}), after the wait for it. */
inline sweep(owner)
{
    do
    :: place < COUNT ->
        word = words[place];
        if
        :: atomic { state_of(word) == CLAIMED && owner_of(word) == owner ->
            HOLDS(owned, words[place] == word);
            if
#ifndef MUTANT_NOT_RELEASED
            :: words[place] == word -> words[place] = 0
#endif
            :: else
            fi }
        :: else
        fi;
        d_step { word = 0; place++ }
    :: atomic { place == COUNT -> place = 0; break }
    od;
    atomic {
        HOLDS(unclaimed, !(state_of(words[0]) == CLAIMED && owner_of(words[0]) == owner) &&
            !(state_of(words[1]) == CLAIMED && owner_of(words[1]) == owner));
        state[owner] = RUNNING
    }
}

/* The master; and whoever kills. */
#define KILL(owner) d_step { kills < KILLS && state[owner] == RUNNING -> kills++; state[owner] = KILLED }
active proctype master()
{
    byte word, place;

    atomic {
        run asker(1);
        run asker(2)
    };
end:
    do
    :: KILL(1)
    :: KILL(2)
    :: state[1] == DEAD -> sweep(1)
    :: state[2] == DEAD -> sweep(2)
    od
}

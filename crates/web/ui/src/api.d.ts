// Made from openapi.json by `npm run api-types`. Do not edit.

export interface paths {
    "/api/agents/{id}/duty": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes a lawyer ready, pauses them or logs them out, after the call they may be in. */
        post: operations["set_duty"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/agents/{id}/talk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * What a lawyer wants of the talk that they are in: call a third party such as 12345 in, talk in threes, part from it,
         *     or leave the caller to it or to another pool.
         */
        post: operations["wish_of_talk"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/agents/{id}/wrap-up-done": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends a lawyer's wrap-up before its deadline: the form is saved. Also late, which ends the pause that followed. */
        post: operations["end_wrap_up"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/agents/{id}/wrap-up-extended": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Puts the end of a lawyer's wrap-up off, as far as the pool's rule lets. */
        post: operations["extend_wrap_up"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/board": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Everything the board shows now. */
        get: operations["board"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/calls": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The last calls, newest first. */
        get: operations["calls"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/calls/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A call with its legs, recordings and ticket. */
        get: operations["call"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/calls/{id}/priority": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Moves a waiting call in every line that it stands in. `{"urgent": false}` puts it back to where its arrival
         *     and the dialplan place it.
         */
        post: operations["set_priority"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/calls/{id}/supervision": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Lets a supervisor's phone take part in the talk of a call: it is rung, and on record from then on. One phone a call. */
        post: operations["set_supervision"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The live board as server-sent events: `snapshot`, then `delta`s whose `seq` is the event's id, and a
         *     `beat` every five seconds. A client that reconnects with `Last-Event-ID` gets what it missed, or a new
         *     snapshot.
         */
        get: operations["live"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/pools/{id}/override": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Opens or closes a pool, whatever its hours say, or lets the hours count again. New calls find it so; who waits
         *     there already goes on waiting.
         */
        post: operations["override_pool"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/regions/{id}/override": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The same for every pool of a region. */
        post: operations["override_region"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tickets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Tickets, newest first. */
        get: operations["tickets"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tickets/{number}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One ticket. */
        get: operations["ticket"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the process serves. A slow database does not make it ill: calls go on without. */
        get: operations["healthz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @enum {string} */
        ActivityView: "idle" | "ringing" | "clearing" | "talking" | "wrap_up";
        /**
         * @description A lawyer. What the human wants (`duty`) and what the phone does (`activity`) are two things;
         *     `standing` is the one word that the board prints for both.
         */
        AgentRow: {
            activity: components["schemas"]["ActivityView"];
            call?: string | null;
            duty: components["schemas"]["DutyView"];
            /** Format: int32 */
            id: number;
            name: string;
            pause?: components["schemas"]["PauseView"] | null;
            pools: string[];
            reachable: boolean;
            /**
             * Format: int64
             * @description When `standing` became what it is; none if nothing was heard of this lawyer yet.
             */
            since?: number | null;
            standing: components["schemas"]["Standing"];
            /**
             * Format: int64
             * @description When the pause, the ringing or the wrap-up ends by itself.
             */
            until?: number | null;
            wrap_up?: components["schemas"]["WrapUpView"] | null;
            /**
             * Format: int64
             * @description The latest end to which the wrap-up can be put off, while it is `extendable`.
             */
            wrap_up_latest?: number | null;
        };
        /** @description Proof that the feed is alive, every five seconds. */
        Beat: {
            /** Format: int64 */
            now: number;
        };
        /** @description A pool is open or closed whatever its hours say. */
        ByHandView: {
            open: boolean;
            /**
             * Format: int64
             * @description None: until a supervisor says otherwise.
             */
            until?: number | null;
        };
        /** @description A call with its legs, its recordings and the number of its ticket. */
        CallDetail: {
            call: components["schemas"]["CallSummary"];
            legs: components["schemas"]["LegView"][];
            recordings: components["schemas"]["RecordingView"][];
            /** @description None for a call that was refused before any dialplan saw it. */
            ticket?: string | null;
        };
        /** @description A call that is under way. */
        CallRow: {
            /** Format: int32 */
            agent?: number | null;
            /** Format: int64 */
            arrived_at: number;
            called: string;
            /** @description Masked. */
            caller: string;
            county?: string | null;
            id: string;
            /** @description Nobody is on the line: the caller asked to be called back, and the call keeps its place. */
            is_callback: boolean;
            phase: components["schemas"]["Phase"];
            /** Format: int64 */
            phase_since: number;
            pool?: string | null;
            priority?: components["schemas"]["PriorityView"] | null;
            /**
             * Format: int64
             * @description When the call first began to wait; kept when it overflows to another pool.
             */
            queued_at?: number | null;
            region?: string | null;
        };
        /** @description A call that has left, as stored. */
        CallSummary: {
            /** Format: int32 */
            agent?: number | null;
            /** Format: int64 */
            arrived_at: number;
            /** Format: int64 */
            bridged_at?: number | null;
            called: string;
            /** @description Masked. */
            caller: string;
            /** @description Masked. */
            caller_name?: string | null;
            county?: string | null;
            /** Format: int64 */
            departed_at: number;
            departure: components["schemas"]["Departure"];
            /** @description Which version of its region's dialplan the call walked. */
            dialplan?: string | null;
            ended_by: components["schemas"]["Party"];
            id: string;
            /**
             * Format: int32
             * @description How often a lawyer's phone was rung.
             */
            offers: number;
            /** Format: int32 */
            overflows: number;
            /** @description The pool that answered. */
            pool?: string | null;
            /** Format: int64 */
            queued_at?: number | null;
            region?: string | null;
            /** Format: int64 */
            talked_ms?: number | null;
            trunk?: string | null;
            /** Format: int64 */
            waited_ms?: number | null;
        };
        /** @description One row that replaces the row of the same id, or one that goes away. */
        Change: {
            /** @enum {string} */
            change: "pool";
            row: components["schemas"]["PoolRow"];
        } | {
            /** @enum {string} */
            change: "agent";
            row: components["schemas"]["AgentRow"];
        } | {
            /** @enum {string} */
            change: "call";
            row: components["schemas"]["CallRow"];
        } | {
            /** @enum {string} */
            change: "call_gone";
            /** @description The call is no longer live. */
            row: {
                id: string;
            };
        } | {
            /** @enum {string} */
            change: "departed";
            /** @description To be put before the other recent calls. */
            row: components["schemas"]["DepartedCall"];
        } | {
            /** @enum {string} */
            change: "trunk";
            row: components["schemas"]["TrunkRow"];
        } | {
            /** @enum {string} */
            change: "today";
            row: components["schemas"]["Today"];
        };
        /** @description What one fact (or the passing of midnight) changed. `seq` is also the id of the server-sent event. */
        Delta: {
            /** Format: int64 */
            at: number;
            changes: components["schemas"]["Change"][];
            /** Format: int64 */
            seq: number;
        };
        /** @description A call that has left. */
        DepartedCall: {
            /** Format: int32 */
            agent?: number | null;
            /** Format: int64 */
            at: number;
            /** @description Masked. */
            caller: string;
            county?: string | null;
            departure: components["schemas"]["Departure"];
            id: string;
            pool?: string | null;
            /** Format: int64 */
            talked_ms?: number | null;
            /**
             * Format: int64
             * @description From the first queue to the lawyer, or to the departure of one who gave up. None: never queued.
             */
            waited_ms?: number | null;
        };
        /**
         * @description The schema of [`domain::Departure`].
         * @enum {string}
         */
        Departure: "answered" | "abandoned_menu" | "abandoned_queue" | "abandoned_ringing" | "voicemail" | "transferred" | "callback_unanswered" | "callback_expired" | "callback_merged" | "patience_expired" | "nobody_on_duty" | "closed" | "caller_lost" | "not_allowed" | "no_such_number" | "no_codec" | "overload" | "failed";
        DutyRequest: {
            duty: components["schemas"]["RequestedDuty"];
            /**
             * Format: int32
             * @description How long a pause lasts, in seconds; until the lawyer comes back if it is left out.
             */
            for_s?: number | null;
            reason?: components["schemas"]["RequestedReason"] | null;
        };
        /** @enum {string} */
        DutyView: "ready" | "paused" | "logged_out";
        ExtensionRequest: {
            /**
             * Format: int32
             * @description How much later than now planned the wrap-up is to end, in seconds.
             */
            by_s: number;
        };
        /**
         * @description The schema of [`domain::LegRole`].
         * @enum {string}
         */
        LegRole: "caller" | "agent" | "outside";
        LegView: {
            /** Format: int32 */
            jitter_us: number;
            /** Format: int64 */
            leg: number;
            /** Format: int64 */
            packets_lost: number;
            /** Format: int64 */
            packets_received: number;
            /** Format: int64 */
            packets_sent: number;
            /** Format: int64 */
            packets_stray: number;
            /** Format: int32 */
            remote_jitter_us?: number | null;
            /** Format: int64 */
            remote_packets_lost?: number | null;
            role: components["schemas"]["LegRole"];
        };
        /** @description A name in both languages of the consoles. */
        Name: {
            en: string;
            zh: string;
        };
        OverrideRequest: {
            /**
             * Format: int32
             * @description How long, in seconds; until somebody says otherwise if it is left out.
             */
            for_s?: number | null;
            state: components["schemas"]["OverrideState"];
        };
        /** @enum {string} */
        OverrideState: "open" | "closed" | "by_hours";
        /**
         * @description The schema of [`domain::Party`].
         * @enum {string}
         */
        Party: "caller" | "agent" | "outside" | "system";
        /**
         * @description Why a lawyer is paused.
         * @enum {string}
         */
        PauseView: "short_break" | "meal" | "meeting" | "training" | "fieldwork" | "other" | "no_answer" | "form_unsaved";
        /** @enum {string} */
        Phase: "menu" | "waiting" | "ringing" | "talking" | "held" | "voicemail" | "leaving";
        /** @description A county's (or the city's) queue and the lawyers who serve it. A lawyer of two pools counts in both. */
        PoolRow: {
            by_hand?: components["schemas"]["ByHandView"] | null;
            county?: string | null;
            id: string;
            /** Format: int32 */
            logged_out: number;
            name: components["schemas"]["Name"];
            /**
             * Format: int32
             * @description Whose phones cannot be reached.
             */
            offline: number;
            /** Format: int32 */
            paused: number;
            /** Format: int32 */
            ready: number;
            region: string;
            /** Format: int32 */
            ringing: number;
            /** Format: int32 */
            talking: number;
            /**
             * Format: int32
             * @description Calls that wait in this pool, those whose lawyer's phone is ringing included.
             */
            waiting: number;
            /**
             * Format: int64
             * @description When the caller who waits longest began to wait, in whatever pool that was.
             */
            waiting_since?: number | null;
            /** Format: int32 */
            wrap_up: number;
        };
        PriorityRequest: {
            /**
             * Format: int32
             * @description As if the call had come so many seconds earlier; at most a day.
             */
            head_start_s?: number;
            /** @description Before all others. */
            urgent: boolean;
        };
        /** @description A place in line: urgent calls first, then by arrival less the head start. */
        PriorityView: {
            /** Format: int64 */
            head_start_ms: number;
            urgent: boolean;
        };
        Problem: {
            /** @description What was wrong this time and what would be right. Never personal data. */
            detail: string;
            /**
             * Format: int32
             * @description The HTTP status again.
             */
            status: number;
            /** @description What kind of problem; the same for every occurrence. */
            title: string;
        };
        RecordingView: {
            /** Format: int64 */
            duration_ms: number;
            /** @description Relative to the recordings folder. */
            file: string;
            segments: components["schemas"]["SegmentView"][];
        };
        RegionRow: {
            /** @description The version of the dialplan that new calls walk. */
            dialplan: string;
            id: string;
            name: components["schemas"]["Name"];
        };
        /** @enum {string} */
        RequestedDuty: "ready" | "paused" | "logged_out";
        /**
         * @description What a human may give as the reason of a pause; others are the switch's own.
         * @enum {string}
         */
        RequestedReason: "short_break" | "meal" | "meeting" | "training" | "fieldwork" | "other";
        /** @enum {string} */
        RequestedSupervision: "listen" | "whisper" | "barge" | "off";
        /** @enum {string} */
        RequestedWish: "consult" | "join" | "part" | "leave" | "pass_to";
        /**
         * @description The schema of [`domain::Satisfaction`].
         * @enum {string}
         */
        Satisfaction: "very_satisfied" | "satisfied" | "fairly_satisfied" | "dissatisfied" | "very_dissatisfied";
        SegmentView: {
            /** Format: int32 */
            agent?: number | null;
            /** Format: int64 */
            duration_ms: number;
            /** @description The caller heard nothing of it. */
            is_private: boolean;
            /** Format: int64 */
            offset_ms: number;
            sha256: string;
            /** @description How a supervisor took part: `listen`, `whisper` or `barge`. */
            supervision?: string | null;
            /** @description Whom outside is heard on our side. */
            target?: string | null;
        };
        /** @description Everything the board shows at one moment. Deltas with a greater `seq` continue it. */
        Snapshot: {
            agents: components["schemas"]["AgentRow"][];
            calls: components["schemas"]["CallRow"][];
            counties: {
                [key: string]: components["schemas"]["Name"];
            };
            /**
             * Format: int64
             * @description The server's clock when the snapshot was taken; browsers let waits tick relative to it.
             */
            now: number;
            pools: components["schemas"]["PoolRow"][];
            /** @description Newest first. */
            recent: components["schemas"]["DepartedCall"][];
            regions: components["schemas"]["RegionRow"][];
            /** Format: int64 */
            seq: number;
            today: components["schemas"]["Today"];
            trunks: components["schemas"]["TrunkRow"][];
        };
        /**
         * @description In which column of a pool a lawyer is counted: in exactly one.
         * @enum {string}
         */
        Standing: "ready" | "ringing" | "talking" | "wrap_up" | "paused" | "offline" | "logged_out";
        SupervisionRequest: {
            mode: components["schemas"]["RequestedSupervision"];
            /** @description The account whose phone takes part; it is rung for it. */
            phone: string;
        };
        TalkRequest: {
            /** @description With `pass_to`: the pool that the caller is to wait for, before all others. */
            pool?: string | null;
            /** @description With `consult`: whom to call, a target of the dialplan. */
            target?: string | null;
            wish: components["schemas"]["RequestedWish"];
        };
        /** @description One ticket (工单). */
        TicketView: {
            /** Format: int32 */
            agent?: number | null;
            call: string;
            /** @description Masked. */
            caller: string;
            category?: string | null;
            county?: string | null;
            /** Format: int64 */
            created_at: number;
            number: string;
            region: string;
            satisfaction?: components["schemas"]["Satisfaction"] | null;
            state: string;
        };
        /**
         * @description The figures of one day in China, by day of arrival (GB/T 33358-2016). A call enters `reached_queue` when
         *     its wait has ended, so that nobody lowers a rate merely by waiting:
         *     connected rate = `answered ÷ reached_queue`, 15-second answer rate = `answered_in_15s ÷ reached_queue`.
         */
        Today: {
            /**
             * Format: int64
             * @description Hung up while they waited.
             */
            abandoned: number;
            /**
             * Format: int64
             * @description A lawyer answered.
             */
            answered: number;
            /**
             * Format: int64
             * @description A lawyer answered at most 15,000 ms after the wait began.
             */
            answered_in_15s: number;
            /**
             * Format: int64
             * @description All that arrived.
             */
            calls: number;
            /**
             * Format: int64
             * @description The midnight that began the day.
             */
            day_start: number;
            /**
             * Format: int64
             * @description Began to wait in a pool, and were answered or have left.
             */
            reached_queue: number;
            /** Format: int64 */
            voicemail: number;
        };
        TrunkRow: {
            id: string;
            reachable: boolean;
        };
        /** @enum {string} */
        WrapUpView: "fixed" | "extendable" | "until_saved";
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    set_duty: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Staff number */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DutyRequest"];
            };
        };
        responses: {
            /** @description The switch was told; the live feed shows when it is so */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    wish_of_talk: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Staff number */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TalkRequest"];
            };
        };
        responses: {
            /** @description The switch was told; nothing happens where it does not fit */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    end_wrap_up: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Staff number */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The switch was told; nothing happens outside a wrap-up */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    extend_wrap_up: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Staff number */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ExtensionRequest"];
            };
        };
        responses: {
            /** @description The switch was told; nothing happens outside an extendable wrap-up */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    board: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Snapshot"];
                };
            };
        };
    };
    calls: {
        parameters: {
            query?: {
                /** @description Rows wanted: 100 unless told, at most 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CallSummary"][];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    call: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the call */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CallDetail"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    set_priority: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the call */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PriorityRequest"];
            };
        };
        responses: {
            /** @description The switch was told; the live feed shows when it is so */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description No such call waits */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    set_supervision: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the call */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SupervisionRequest"];
            };
        };
        responses: {
            /** @description The switch was told; nothing happens where nobody talks or that phone is not there */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description No such call is under way */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    live: {
        parameters: {
            query?: never;
            header?: {
                /** @description `seq` of the last event seen */
                "Last-Event-ID"?: number | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["Snapshot"];
                };
            };
            /** @description too many clients */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    override_pool: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the pool */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OverrideRequest"];
            };
        };
        responses: {
            /** @description The switch was told; the live feed shows when it is so */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    override_region: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the region */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OverrideRequest"];
            };
        };
        responses: {
            /** @description The switch was told; the live feed shows when it is so */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    tickets: {
        parameters: {
            query?: {
                /** @description Rows wanted: 100 unless told, at most 500. */
                limit?: number;
                /** @description Number of the last ticket already seen. */
                before?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TicketView"][];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    ticket: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Number of the ticket */
                number: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TicketView"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    healthz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
        };
    };
}

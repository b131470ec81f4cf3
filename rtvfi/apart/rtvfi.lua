-- Smooth motion by rtvfi, inside this mpv. "rtvfi mpv --install" wrote this file and overwrites it;
-- settings are in script-opts/rtvfi.conf.
--
-- The pictures are made by another process, the engine (rtvfi serve). It is started with the first
-- film, observes this mpv over mpv's own JSON IPC, and ends with it. Its track is one more video
-- track beside the film's own: whatever happens to the engine, the film goes on.

-- In "rtvfi play", only the copy of this file that it loads itself may run, or none.
local only = os.getenv("RTVFI_SCRIPT")
if only and debug.getinfo(1, "S").source ~= "@" .. only then
    return
end

local VERSION = "1"
local TICK = 1
local FAULT = 70 -- the engine's exit code when it hangs or uses too much memory: try another one
local APART = 0.5 -- seconds that the sound may be ahead of the picture when our track is left
local START = 60 -- seconds after which an engine that has not connected is ended

local options = {
    on = true,
    command = "rtvfi",
    model = "",
    style = "",
    fps = "",
    more = "",
    words = "[]",
    keys = true,
    wait = 15,
    patience = 6,
    memory = 0,
    letgo = "gpu",
    rest = 30,
    log = "",
    hosted = false, -- "rtvfi play" starts and ends the engines,
    begun = false, -- has started the first one already,
    socket = "", -- lets mpv listen here for it,
    records = false, -- and records what is watched
    reads = "", -- with what mpv reads our track; the engine looks here
}
-- Celluloid gives its mpv no configuration folder: take the settings next to this script.
local here = debug.getinfo(1, "S").source:match("^@(.*)/scripts/[^/]*$")
local file = not mp.find_config_file("script-opts/rtvfi.conf")
    and here
    and io.open(here .. "/script-opts/rtvfi.conf")
if file then
    for line in file:lines() do
        local key, value = line:match("^([%w_-]+)=(.*)$")
        if type(options[key]) == "boolean" then
            options[key] = value == "yes"
        elseif type(options[key]) == "number" then
            options[key] = tonumber(value) or options[key]
        elseif key then
            options[key] = value
        end
    end
    file:close()
end
require("mp.options").read_options(options, "rtvfi")
if options.hosted then -- the command line of "rtvfi play" alone says what is played, and how
    options.on, options.model, options.style, options.fps, options.more = true, "", "", "", ""
end
local utils = require("mp.utils")

local unpack = unpack or table.unpack
local NAME = mp.get_script_name()
local KEYS = {
    { "Ctrl+i", "rtvfi-toggle", "interpolation on and off" },
    { "Ctrl+m", "rtvfi-model", "next model" },
    { "Ctrl+f", "rtvfi-fps", "output rate: 2x, 60, display" },
    { "Ctrl+y", "rtvfi-style", "next style" },
    { "Ctrl+o", "rtvfi-stats", "statistics overlay" },
}
local MENU = "Smooth motion" -- our part of mpv's context menu

local engine = nil -- the running process, as mpv names it
local is_ready = false -- it has connected
local is_quitting = false
local root = nil -- what the addresses of its tracks begin with
local number = 0 -- of the film that was opened last
local original = nil -- the film's own track that ours is made of
local is_playing = false
local is_hooked = false -- mpv has called our hook for it
local pending = nil -- the hook that waits for the engine
local timer = nil
local silence = 0 -- ticks since the engine was last heard
local is_silent = false -- it was ended because it does not answer
local owed = nil -- since when the engine has not answered for a film
local aside = nil -- its track, while the film's own is shown because it does not answer
local deaths = 0
local place = "" -- where the engine computes
local live = {} -- the current model, style and fps, for the next engine
local is_resting = false -- no engine runs, because the film is paused or minimised
local is_let_go = false -- the engine was told to end, and has not ended yet
local idle_timer = nil
local own_socket = options.socket ~= "" and options.socket or nil -- where mpv listens because of us
local BEGUN = "begun" -- in place of mpv's name for the process: mpv has not started it

local function say(text, seconds)
    mp.msg.info(text)
    mp.osd_message(text, seconds or 4)
end

local function go_on()
    if timer then
        timer:kill()
        timer = nil
    end
    if pending then
        local hook = pending
        pending = nil
        hook:cont()
    end
end

local function is_ours(track)
    local name = track["external-filename"]
    return root ~= nil and name ~= nil and name:sub(1, #root) == root
end

local function is_film(track)
    return track.type == "video" and not track.albumart and not track.image and not is_ours(track)
end

local function has_film()
    for _, track in ipairs(mp.get_property_native("track-list") or {}) do
        if is_film(track) then
            return true
        end
    end
    return false
end

-- Show the film's own track. Returns the numbers of our tracks, and of the one that was shown.
local function show_film()
    local ours, own, shown = {}, nil, nil
    local sound = mp.get_property_number("audio-pts")
    for _, track in ipairs(mp.get_property_native("track-list") or {}) do
        if is_ours(track) then
            ours[#ours + 1] = track.id
            shown = track.selected and track.id or shown
        elseif is_film(track) and (own == nil or track.id == original) then
            own = track.id
        end
    end
    if shown and own then
        local position = mp.get_property_number("time-pos")
        mp.set_property_number("vid", own)
        if position and not (sound and sound - position < APART) then
            -- Continue at the last picture: sound may have gone on without pictures, and of a film
            -- without sound nothing has been read.
            mp.commandv("seek", position, "absolute+exact")
        end
    end
    return ours, shown
end

-- The engine is gone: show the film's own track, and remove ours.
local function back_to_film()
    aside = nil
    local ours = show_film()
    for _, id in ipairs(ours) do
        mp.command_native_async({ "video-remove", tostring(id) }, function() end)
    end
end

local function words_of(command)
    if command:sub(1, 1) == "[" then
        return utils.parse_json(command) or {}
    end
    return { command }
end

-- The path at which mpv listens, and whether it was created for the engine, which deletes it when it
-- is connected. Only this user can reach it.
local function socket()
    local path = mp.get_property("input-ipc-server") or ""
    if path ~= "" and path ~= own_socket then
        return path, false
    end
    mp.set_property("input-ipc-server", "")
    local name = "/rtvfi-mpv-" .. utils.getpid() .. ".sock"
    local folder = os.getenv("XDG_RUNTIME_DIR") or ""
    -- In containers and after "su" it may be missing, or another user's.
    local probe = folder:sub(1, 1) == "/" and io.open(folder .. name .. ".probe", "w")
    if probe then
        probe:close()
        os.remove(folder .. name .. ".probe")
    else
        local made = mp.command_native({
            name = "subprocess",
            playback_only = false,
            capture_stdout = true,
            args = { "mktemp", "-d", "/tmp/rtvfi-mpv-XXXXXXXX" },
        })
        folder = (made and made.stdout or ""):gsub("%s+$", "")
        if folder == "" then
            return nil
        end
    end
    path = folder .. name
    mp.set_property("input-ipc-server", path)
    own_socket = path
    return path, true
end

-- End the engine. Why: "leave" = it is not needed now.
local function kill(why)
    if engine == BEGUN then
        mp.commandv("script-message", "rtvfi-end-engine", why)
    else
        mp.abort_async_command(engine)
    end
end

local start

local function ended(_, result, _)
    engine, is_ready = nil, false
    if is_quitting then
        return
    end
    if is_let_go then
        is_let_go = false
        if not is_resting then
            start()
        end
        return
    end
    back_to_film()
    go_on()
    local said = {}
    for line in ((result and result.stderr) or ""):gmatch("[^\n]+") do
        mp.msg.verbose(line)
        said[#said + 1] = line:match("^error: (.+)")
    end
    if result and result.error_string == "init" then
        say("rtvfi: " .. options.command .. " cannot be started: see script-opts/rtvfi.conf", 8)
    elseif #said > 0 and result.status ~= FAULT then
        say("rtvfi: " .. said[#said], 8)
    else
        local what = "rtvfi's engine died"
        if is_silent then
            what = "rtvfi's engine does not answer"
        elseif #said > 0 then
            what = said[#said]
        end
        deaths = deaths + 1
        if deaths == 1 then
            say(what .. ": the engine is started again, and estimates motion at a smaller size", 8)
            start()
        else
            say(what .. ": the film plays without interpolation", 8)
        end
    end
end

function start()
    if engine then
        return
    end
    local path, is_own = socket()
    local words = words_of(options.command)
    if not path or #words == 0 then
        say("rtvfi: no socket can be made, or script-opts/rtvfi.conf has no command")
        return
    end
    local function add(...)
        for _, word in ipairs({ ... }) do
            words[#words + 1] = word
        end
    end
    add("serve", "--mpv-socket", path, "--script", NAME, "--script-version", VERSION)
    add(unpack(utils.parse_json(options.words) or {}))
    for _, key in ipairs({ "model", "style", "fps" }) do
        local value = live[key] or options[key]
        if value ~= "" then
            add("--" .. key, value)
        end
    end
    for word in options.more:gmatch("%S+") do
        add(word)
    end
    if options.log ~= "" then
        add("--log-file", mp.command_native({ "expand-path", options.log }))
    end
    if is_own then
        add("--own-socket")
    end
    if deaths > 0 then
        add("--smaller")
    end
    silence, is_silent, owed = 0, false, nil
    if options.hosted then
        engine = BEGUN
        mp.commandv("script-message", "rtvfi-start-engine", (utils.format_json(words)))
        return
    end
    engine = mp.command_native_async({
        name = "subprocess",
        playback_only = false,
        capture_stderr = true,
        args = words,
    }, ended)
end

mp.register_script_message("rtvfi-engine-ended", function(status, said)
    if engine == BEGUN then
        local code = tonumber(status)
        ended(true, { status = code, stderr = said, error_string = code and "" or "init" })
    end
end)

-- End the engine, because it does not answer.
local function give_up()
    is_silent = true
    kill("it did not answer")
end

local function attach(moment)
    owed = owed or mp.get_time()
    local limits = { tostring(options.patience), tostring(options.memory) }
    mp.commandv("script-message", "rtvfi-attach", tostring(number), moment, unpack(limits))
end

mp.add_hook("on_preloaded", 50, function(hook)
    number = number + 1
    original = nil
    is_hooked = true
    if not options.on or deaths > 1 or not has_film() then
        return
    end
    is_resting = false
    start()
    if not engine then
        return
    end
    if owed and mp.get_time() - owed > options.wait then
        give_up() -- the previous film waited in vain
    end
    pending = hook
    hook:defer()
    timer = mp.add_timeout(options.wait, function()
        timer = nil
        say("rtvfi is not ready yet: the film begins without interpolation")
        go_on()
    end)
    if is_ready then
        attach("")
    end
end)

mp.register_script_message("rtvfi-ready", function(address)
    is_ready, root, silence = true, address, 0
    if pending then
        attach("")
    elseif is_playing and has_film() then
        attach("late")
    end
end)

mp.register_script_message("rtvfi-attached", function(which, track)
    owed = nil
    if tonumber(which) == number then
        original = tonumber(track)
        go_on()
    end
end)

-- Answer requests for the state while there is no engine, which would answer itself.
mp.register_script_message("rtvfi-tell", function()
    if not engine then
        mp.commandv("script-message", "rtvfi-told", '{"pid": null}')
    end
end)

mp.register_script_message("rtvfi-alive", function(where, model, style, fps)
    silence = 0
    if aside then
        mp.set_property_number("vid", aside)
        aside = nil
    end
    place = where
    live = { model = model, style = style, fps = fps }
end)

-- The film was paused or minimised for a while: end the engine, because a GPU that is only held by
-- a process may run at full clock, and show the film's own track. Later the film goes on at once,
-- and becomes smooth when a new engine is ready.
local function let_go()
    idle_timer = nil
    local is_wanted = options.letgo == "always" or (options.letgo == "gpu" and place:match("^cuda"))
    if is_wanted and engine and is_ready and not pending then
        is_resting, is_let_go, is_ready, silence = true, true, false, 0
        back_to_film()
        kill("leave")
    end
end

local function looked_at()
    local is_unseen = mp.get_property_native("pause") or mp.get_property_native("window-minimized")
    -- A new engine takes a while: what is played until then would be missing in the recording.
    if is_unseen and not options.records then
        idle_timer = idle_timer or mp.add_timeout(options.rest, let_go)
        return
    end
    if idle_timer then
        idle_timer:kill()
        idle_timer = nil
    end
    if is_resting then
        is_resting = false
        start()
    end
end
mp.observe_property("pause", "bool", looked_at)
mp.observe_property("window-minimized", "bool", looked_at)
-- A film may be opened paused or minimised. Before its first picture the engine must not be ended:
-- mpv might then wait for that picture for ever.
mp.register_event("playback-restart", looked_at)

mp.add_periodic_timer(TICK, function()
    if not engine or is_silent then
        return
    end
    silence = silence + TICK
    if is_ready and not aside and silence > options.patience / 2 then
        local _, shown = show_film()
        aside = shown
    end
    local most = is_ready and options.patience or math.max(START, 4 * options.wait)
    if silence > most then
        give_up()
    end
end)

-- A film that was opened before this script was loaded becomes smooth while it plays.
local function come_late()
    is_playing = true
    if is_hooked or not options.on or deaths > 1 or not has_film() then
        return
    end
    is_hooked = true
    number = number + 1
    if is_ready then
        attach("late")
    else
        start()
    end
end

mp.register_event("start-file", function()
    is_hooked = false
end)
mp.register_event("file-loaded", come_late)
mp.register_event("end-file", function()
    is_playing = false
    aside = nil
    go_on()
end)
mp.register_event("shutdown", function()
    is_quitting = true
end)

for _, row in ipairs(KEYS) do
    local key, message = row[1], row[2]
    -- mpv registers a binding's name as a script-message, too, so it must differ from the one sent.
    mp.add_key_binding(options.keys and key or nil, message .. "-key", function()
        if engine then
            mp.commandv("script-message", message)
        else
            deaths = 0
            options.on = true
            say("rtvfi starts")
            start()
        end
    end)
end

-- From 0.38 on, mpv has its context menu as a property. 0.42 fills all of it from menu.conf when
-- the first window is open and whenever an entry changes; our part is then added again.
mp.observe_property("menu-data", "native", function(_, menu)
    if not menu then
        return
    end
    for _, item in ipairs(menu) do
        if item.title == MENU then
            return
        end
    end
    local entries = {}
    for _, row in ipairs(KEYS) do
        entries[#entries + 1] = {
            title = (row[3]:gsub("^%l", string.upper)),
            cmd = "script-binding " .. NAME .. "/" .. row[2] .. "-key",
            shortcut = options.keys and row[1] or nil,
        }
    end
    menu[#menu + 1] = { type = "submenu", title = MENU, submenu = entries }
    mp.set_property_native("menu-data", menu)
end)

if options.begun then
    engine = BEGUN
end
if options.hosted then -- the window opens no film before this
    mp.commandv("script-message", "rtvfi-script", NAME)
end

if mp.get_property_number("time-pos") then
    come_late()
end

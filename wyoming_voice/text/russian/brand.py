"""Latin names and words as Russian speakers say them, in one literal table; ``latin.py`` has the rules for others."""

from typing import Final

_TABLE: Final = """
wi-fi=вай-фай wifi=вай-фай bluetooth=блютуз zigbee=зигби z-wave=зи-вейв zwave=зи-вейв matter=мэттер thread=тред
lora=лора
mqtt=эм-кью-ти-ти home_assistant=хоум-ассистант homeassistant=хоум-ассистант hass=хасс hassio=хассио hacs=хакс
esphome=и-эс-пи-хоум
esp=и-эс-пи tasmota=тасмота shelly=шелли sonoff=соноф tuya=туя xiaomi=сяоми aqara=акара mi=ми yeelight=илайт
philips=филипс
hue=хью ikea=икеа tradfri=традфри sonos=сонос nest=нест ring=ринг alexa=алекса siri=сири cortana=кортана alisa=алиса
google=гугл google_home=гугл-хоум google_assistant=гугл-ассистант youtube=ютуб spotify=спотифай netflix=нетфликс
twitch=твич telegram=телеграм whatsapp=вотсап viber=вайбер skype=скайп zoom=зум discord=дискорд slack=слак
facebook=фейсбук
instagram=инстаграм twitter=твиттер tiktok=тикток linkedin=линкедин vk=вэ-ка vkontakte=вконтакте yandex=яндекс
mail.ru=мэйл-ру
apple=эппл iphone=айфон ipad=айпад imac=аймак macbook=макбук mac=мак macos=мак-о-эс ios=ай-о-эс ipados=айпад-о-эс
airpods=эйрподс
apple_tv=эппл-ти-ви homekit=хоумкит homepod=хоумпод airplay=эйрплей watch=вотч samsung=самсунг galaxy=гэлакси
huawei=хуавей
honor=хонор lg=эл-джи sony=сони playstation=плейстейшен xbox=иксбокс nintendo=нинтендо steam=стим microsoft=майкрософт
windows=виндоус
office=офис excel=эксель word=ворд outlook=аутлук teams=тимс edge=эдж linux=линукс ubuntu=убунту debian=дебиан
android=андроид
raspberry_pi=распберри-пай raspberry=распберри arduino=ардуино docker=докер kubernetes=кубернетис github=гитхаб
gitlab=гитлаб git=гит
python=пайтон java=джава javascript=джаваскрипт typescript=тайпскрипт c++=си-плюс-плюс c#=си-шарп php=пи-эйч-пи
html=эйч-ти-эм-эль
nvidia=энвидиа geforce=джифорс amd=а-эм-ди ryzen=райзен intel=интел core=кор chatgpt=чат-джи-пи-ти gpt=джи-пи-ти
openai=оупен-эй-ай
claude=клод gemini=джемини copilot=копайлот whisper=виспер piper=пайпер silero=силеро rhvoice=эр-эйч-войс espeak=и-спик
chrome=хром firefox=файрфокс safari=сафари opera=опера gmail=джимейл amazon=амазон ebay=ибэй aliexpress=алиэкспресс
ozon=озон
wildberries=вайлдберриз avito=авито uber=убер tesla=тесла toyota=тойота bmw=бэ-эм-вэ mercedes=мерседес audi=ауди
volkswagen=фольксваген
ford=форд honda=хонда nissan=ниссан kia=киа hyundai=хёндай lada=лада bosch=бош siemens=сименс philips_hue=филипс-хью
dyson=дайсон
roborock=роборок dreame=дрим irobot=айробот roomba=румба led=лэд e27=е-двадцать-семь e14=е-четырнадцать usb=ю-эс-би
hdmi=эйч-ди-эм-ай tv=ти-ви pc=пи-си cpu=цэ-пэ-у
gpu=джи-пи-ю ram=рам ssd=эс-эс-ди hdd=эйч-ди-ди nas=нас lan=лан wan=ван vpn=ви-пи-эн dns=ди-эн-эс http=эйч-ти-ти-пи
https=эйч-ти-ти-пи-эс url=ю-ар-эл ip=ай-пи id=ай-ди ok=окей okay=окей ai=эй-ай it=ай-ти hr=эйч-ар pr=пиар qr=кью-ар
sms=эс-эм-эс
gps=джи-пи-эс gsm=джи-эс-эм lte=эл-ти-и nfc=эн-эф-си sim=сим esim=и-сим co2=цэ-о-два co=цэ-о h2o=аш-два-о
pm2.5=пи-эм-два-и-пять
pm10=пи-эм-десять pm1=пи-эм-один tvoc=ти-вок voc=вок no2=эн-о-два o3=о-три ph=пэ-аш uv=у-эф hvac=хвак pdf=пэ-дэ-эф
mp3=эм-пэ-три
mp4=эм-пэ-четыре jpg=джипег jpeg=джипег png=пинг nasa=наса nato=нато unesco=юнеско fifa=фифа uefa=уефа nba=эн-би-эй
bbc=би-би-си cnn=си-эн-эн
fm=эф-эм dj=диджей cd=си-ди dvd=ди-ви-ди vip=вип www=три-дабл-ю api=апи sdk=эс-ди-кей ui=ю-ай ux=ю-экс rgb=эр-гэ-бэ
rgbw=эр-гэ-бэ-вэ
max=макс plus=плюс pro=про mini=мини lite=лайт ultra=ультра air=эйр one=уан series=сириес the=зе of=оф and=энд new=нью
my=май
kitchen=китчен bedroom=бедрум living=ливинг room=рум bathroom=басрум light=лайт lights=лайтс lamp=ламп switch=свитч
sensor=сенсор
temperature=темперача humidity=хьюмидити pressure=прешер door=дор window=виндоу garage=гараж hallway=холвей
office_light=офис-лайт
motion=моушен battery=бэттери power=пауэр energy=энерджи climate=клаймет cover=кавер fan=фэн media=медиа player=плеер
media_player=медиа-плеер
binary=байнари automation=отомейшен script=скрипт scene=сцена camera=камера vacuum=вакуум cleaner=клинер weather=везер
forecast=форкаст
home=хоум house=хаус smart=смарт phone=фон music=мьюзик radio=радио play=плей stop=стоп pause=пауза on=он off=офф
open=оупен close=клоуз
update=апдейт upgrade=апгрейд error=эррор warning=ворнинг test=тест start=старт server=сервер client=клиент
device=девайс hello=хеллоу
world=ворлд rock=рок pop=поп jazz=джаз hit=хит best=бест love=лав night=найт day=дей good=гуд time=тайм water=уотер
leak=лик
smoke=смоук gas=газ outdoor=аутдор indoor=индор front=фронт back=бэк left=лефт right=райт up=ап down=даун input=инпут
boolean=булеан
number=намбер select=селект button=баттон text=текст timer=таймер sun=сан zone=зона person=персон
device_tracker=девайс-трекер
machine=машин learning=лёрнинг source=сорс channel=ченнел movie=муви discovery=дискавери yml=ямл i7=ай-семь i5=ай-пять
i9=ай-девять i3=ай-три example=экзампл user=юзер info=инфо support=саппорт admin=админ com=ком org=орг net=нет ru=ру
io=ай-о local=локал localhost=локалхост
beatles=битлз queen=куин metallica=металлика rammstein=раммштайн nirvana=нирвана coldplay=колдплей adele=адель
madonna=мадонна
netatmo=нетатмо ecobee=экоби lutron=лутрон lifx=лайфикс wled=дабл-ю-лед frigate=фригат plex=плекс kodi=коди
jellyfin=джеллифин
node-red=нод-ред nodered=нод-ред grafana=графана influxdb=инфлюкс-ди-би mariadb=мария-ди-би mysql=май-эс-кью-эл
sql=эс-кью-эл
zigbee2mqtt=зигби-ту-эм-кью-ти-ти deconz=деконз conbee=конби wyoming=вайоминг assist=ассист voice=войс dashboard=дашборд
online=онлайн offline=офлайн email=имейл e-mail=имейл internet=интернет web=веб site=сайт app=апп store=стор
play_market=плей-маркет
play_store=плей-стор app_store=апп-стор face_id=фейс-ай-ди touch_id=тач-ай-ди type-c=тайп-си usb-c=ю-эс-би-си
hi-fi=хай-фай
hi-res=хай-рез full_hd=фулл-эйч-ди hd=эйч-ди uhd=ю-эйч-ди oled=олед qled=кьюлед lcd=эл-си-ди covid=ковид
covid-19=ковид-девятнадцать
ac=эй-си dc=ди-си poe=по-и udp=ю-ди-пи tcp=ти-си-пи ssh=эс-эс-эйч ftp=эф-ти-пи json=джейсон yaml=ямл xml=икс-эм-эль
csv=си-эс-ви
"""

_PAIRS: Final = (pair.split("=", 1) for pair in _TABLE.split())
BRANDS: Final = {name.replace("_", " "): said.replace("-", " ") if "_" in name else said for name, said in _PAIRS}
"""By name in lower case; several words of one name have a space."""

PHRASES: Final = tuple(sorted((name for name in BRANDS if " " in name), key=lambda name: (-len(name), name)))
